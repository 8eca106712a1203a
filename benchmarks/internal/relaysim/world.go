package relaysim

import (
	"math"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// How many destinations there are of each kind.
const (
	liveDomains = 2000
	deadDomains = 5000
	fullDomains = 200
)

// Domains is the number of destinations of a World.
const Domains = liveDomains + deadDomains + fullDomains

// World is the destinations of so many transports: each has its own queue for every domain, Domains after those of the
// transport before it.
func World(transports int) []Kind {
	kinds := make([]Kind, transports*Domains)
	for i := range kinds {
		switch n := i % Domains; {
		case n >= liveDomains+deadDomains:
			kinds[i] = Full
		case n >= liveDomains:
			kinds[i] = Dead
		}
	}
	return kinds
}

// Recipient draws a destination of a World: it is dead or full with these shares, and Popular else.
func (s *Sim) Recipient(dead, full float64) int32 {
	switch u := s.Rand.Float64(); {
	case u < dead:
		return liveDomains + s.Rand.Int32N(deadDomains)
	case u < dead+full:
		return liveDomains + deadDomains + s.Rand.Int32N(fullDomains)
	default:
		return s.Popular()
	}
}

// Popular draws a destination of a World that takes mail: a few large providers have most of the mailboxes.
func (s *Sim) Popular() int32 {
	u := s.Rand.Float64()
	return min(liveDomains-1, int32(math.Pow(liveDomains, u)-1))
}

// Graveyard has the parameters of a graveyard: a long backoff, a huge active queue and many processes.
func Graveyard() relaymodel.Params {
	p := relaymodel.DefaultParams()
	p.ActiveLimit, p.RecipientLimit, p.MaximalBackoff = 200000, 200000, 4*time.Hour
	p.Transports[0].ProcessLimit = 500
	return p
}
