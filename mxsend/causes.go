package mxsend

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Why a message was not accepted in all its time, whoever ended that: what was said
// to it last, what fails at each relay, and why nobody waits any longer.

// causes are several of them, on one line. The text is made when it is asked for,
// since the errors may be the user's.
type causes []error

func (cs causes) Error() string {
	texts := make([]string, len(cs))
	for i, err := range cs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (cs causes) Unwrap() []error { return cs }

// joinCauses joins causes; any may be nil.
func joinCauses(errs ...error) error {
	var joined causes
	for _, err := range errs {
		if err != nil {
			joined = append(joined, err)
		}
	}
	switch len(joined) {
	case 0:
		return nil
	case 1:
		return joined[0]
	}
	return joined
}

// A relayCause is what fails at a relay, within the error of a message that it
// kept waiting.
type relayCause struct{ failure *Error }

func (c relayCause) Error() string { return c.failure.where() }
func (c relayCause) Unwrap() error { return c.failure.Err }

// failing returns the last failure of each relay that is not well, or that keeps
// whoever connects to it waiting; the latest is the first.
func (p *pool) failing(now time.Time) (failures []*Error) {
	for i, r := range p.relays {
		failure := r.lastErr
		if failure == nil || r.health.failures == 0 && r.health.refusals == 0 && r.misfit == nil && !p.candidates[i].crowd.refusing(now) {
			switch cn := r.openingLongest(); {
			case cn != nil:
				failure = cn.stillOpening(now)
			case p.candidates[i].crowd.crowded(now):
				failure = &Error{Outcome: Deferred, Stage: StageConnect, Relay: r.name, Err: errCrowded}
			default:
				continue
			}
		}
		failures = append(failures, failure)
		if failure == p.lastErr {
			last := len(failures) - 1
			failures[0], failures[last] = failures[last], failures[0]
		}
	}
	return failures
}

// errCrowded: this client has its share of the relay's sessions, and none to spare.
var errCrowded = errors.New("the relay has more clients than sessions; see its process limit, or give each client fewer connections (Config.Limits.Connections)")

// openingLongest returns the connection that is being opened for the longest time.
func (r *relay) openingLongest() (longest *conn) {
	for _, cn := range r.conns {
		if cn.state == connOpening && (longest == nil || cn.opening.Before(longest.opening)) {
			longest = cn
		}
	}
	return longest
}

// stillOpening is the failure of a connection that may yet be opened, for those
// who do not wait any longer.
func (c *conn) stillOpening(now time.Time) *Error {
	stage := Stage(c.stage.Load())
	return &Error{Outcome: Deferred, Stage: stage, Relay: c.relay.name,
		Err: fmt.Errorf("no answer in %v%s", now.Sub(c.opening).Round(time.Millisecond), c.silenceHint(stage))}
}

// silenceHint says what may be wrong where a relay takes the connection and says
// nothing.
func (c *conn) silenceHint(stage Stage) string {
	if stage != StageGreeting || c.client.cfg.TLS == TLSImplicit {
		return ""
	}
	return "; a relay that waits for TLS from the first octet (port 465) needs Config.TLS: mxsend.TLSImplicit"
}
