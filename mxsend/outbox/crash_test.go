package outbox

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

var kills = flag.Int("kills", 20, "how often a crash test kills the process that sends, in each of its cases (-short: 3 at most)")

func killsWanted() int {
	if testing.Short() {
		return min(*kills, 3)
	}
	return *kills
}

// The process that sends is killed (-9) at random points, from before it has loaded the list to just before it ends, and
// started again each time. Then the database is held against the ledger of the relays.
func TestKilledAtAnyPoint(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		t.Run("report", func(t *testing.T) { testKilled(t, database, "news report", false) })
		t.Run("resend", func(t *testing.T) { testKilled(t, database, "news resend", true) })
	})
}

func testKilled(t *testing.T, database, name string, resend bool) {
	cluster := mxtest.NewCluster(t, mxtest.Config{KeepContent: -1})
	const n, gate = 20_000, 300
	kills := killsWanted()
	spec := childSpec{
		Database: database, Relays: relaysOf(t, cluster), Mailing: Mailing{Name: name, AutoPause: AutoPause{Share: 2}}, N: n,
		Gate: gate, Lease: 400 * time.Millisecond, Resend: resend,
		// Four slices are rendered at a time; so slow that the mailing outlives the kills.
		Slow: time.Duration(kills) * 250 * time.Millisecond * 4 / n,
	}
	done := false
	killed := 0
	for !done {
		c := startChild(t, spec)
		point := time.After(time.Hour)
		if killed < kills {
			point = time.After(rand.N(600 * time.Millisecond))
		}
		select {
		case <-point:
			c.kill()
			killed++
		case <-c.ended:
			if err := <-c.exited; err != nil {
				t.Fatal(err)
			}
			done = true
		case err := <-c.exited:
			t.Fatalf("the process ended by itself: %v", err)
		case <-time.After(3 * time.Minute):
			t.Fatal("the mailing does not end")
		}
	}
	t.Logf("killed %d times", killed)
	if killed < kills {
		t.Errorf("killed only %d times before the mailing ended", killed)
	}
	b := newBox(t, testConfig(t, database, nil))
	holdAgainst(t, b, cluster, name, n, killed*gate, resend)
}

// holdAgainst compares a mailing that has ended with what the relays have.
func holdAgainst(t *testing.T, b *Box, cluster *mxtest.Cluster, name string, n, mostInDoubt int, resent bool) {
	t.Helper()
	took := map[string]int{}
	for _, mail := range cluster.Ledger().Mails() {
		for _, r := range mail.Recipients {
			took[r.Address]++
		}
	}
	rows, doubt, flagged, duplicates := 0, 0, 0, 0
	sums := map[Outcome]int64{}
	for r, err := range b.Recipients(t.Context(), name, Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		sums[r.Outcome]++
		times := took[r.Address]
		if r.DuplicatePossible {
			flagged++
		}
		if times > 1 {
			duplicates += times - 1
			if !r.DuplicatePossible {
				t.Errorf("%s was sent to %d times, and is not marked", r.Address, times)
			}
		}
		switch r.Outcome {
		case Accepted:
			if times == 0 {
				t.Errorf("%s is said to be accepted, and no relay has it", r.Address)
			}
		case InDoubt:
			doubt++
			if resent {
				t.Errorf("%s is in doubt, and was not sent again", r.Address)
			}
		default:
			t.Errorf("%s is %s: %s", r.Address, r.Outcome, r.Note)
		}
	}
	s, err := b.Status(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for o, count := range s.Outcomes {
		if count != sums[o] {
			t.Errorf("the sums say %d %s, the rows %d", count, o, sums[o])
		}
	}
	if rows != n || s.Recipients != int64(n) {
		t.Errorf("the ledger has %d rows of %d recipients", rows, n)
	}
	if duplicates > flagged {
		t.Errorf("%d duplicates, %d marked", duplicates, flagged)
	}
	if resent {
		doubt = flagged
	} else if duplicates > 0 {
		t.Errorf("%d duplicates, and nothing was to be sent again", duplicates)
	}
	if doubt > mostInDoubt {
		t.Errorf("%d were in doubt; want at most %d", doubt, mostInDoubt)
	}
	t.Logf("%d recipients; %d were in doubt; the relays took %d, %d of them duplicates", n, doubt, len(took)+duplicates, duplicates)
}
