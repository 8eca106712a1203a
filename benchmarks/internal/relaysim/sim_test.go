package relaysim

import (
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// A mail to each kind of destination: one is delivered at once, two go to the
// graveyard and wait there until they are too old.
func TestSim(t *testing.T) {
	s := New(1, 1, relaymodel.DefaultParams(), Graveyard(), []Kind{Alive, Dead, Full}, 1)
	took := map[Lane]time.Duration{}
	s.Delivered = func(lane Lane, delay time.Duration) { took[lane] = delay }
	var turns []time.Duration
	s.Turn = func(submitter int32) (time.Duration, bool) {
		turns = append(turns, s.Now())
		s.Submit(0, Bulk, submitter)
		return s.Now() + time.Second, len(turns) < 2
	}
	s.Submit(0, Transactional, 0)
	s.Plan(time.Minute, 1)
	s.Plan(2*time.Minute, 2)
	s.Run(time.Hour)
	if d := took[Transactional]; len(took) != 1 || d < 180*time.Millisecond || d > 220*time.Millisecond {
		t.Errorf("delivered after %v", took)
	}
	if len(turns) != 3 || turns[1] != time.Minute+time.Second || turns[2] != 2*time.Minute {
		t.Errorf("turns at %v", turns)
	}
	if p, g := s.Counts(false), s.Counts(true); p != (relaymodel.Counts{}) || g.Deferred != 3 {
		t.Errorf("primary %+v, graveyard %+v", p, g)
	}
	s.Run(6 * 24 * time.Hour)
	if s.Total.Expired != 3 || s.Total.Delivered != 1 || s.Total.HandedOver != 3 || s.Total.Submitted != 4 {
		t.Errorf("%+v", s.Total)
	}
}

func TestWorld(t *testing.T) {
	kinds := World(2)
	s := New(1, 0, relaymodel.DefaultParams(), Graveyard(), kinds, 1)
	count := map[Kind]int{}
	for range 100_000 {
		count[kinds[s.Recipient(0.1, 0.2)+Domains]]++
	}
	if d, f := count[Dead], count[Full]; d < 9_500 || d > 10_500 || f < 19_500 || f > 20_500 {
		t.Errorf("got %v of 100000, want a tenth dead and a fifth full", count)
	}
}
