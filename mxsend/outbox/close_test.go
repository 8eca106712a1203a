package outbox

import (
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A deploy: the Box is closed amid a mailing, and another goes on. Nobody is in doubt.
func TestClosedAndGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		client := testClient(t, cluster)
		const n = 3000
		for deploys := 0; ; deploys++ {
			cfg := testConfig(t, database, client)
			cfg.Render, cfg.StopGrace = slowly, 10*time.Second
			b := newBox(t, cfg)
			if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(n)); err != nil {
				t.Fatal(err)
			}
			if deploys == 5 {
				ended(t, b, "news")
				holdAgainst(t, b, cluster, "news", n, 0, false)
				return
			}
			time.Sleep(200 * time.Millisecond)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if all, err := newBox(t, testConfig(t, database, nil)).Processes(t.Context()); err != nil || len(all) != 1+deploys {
				t.Errorf("%d processes are entered, %v; want those that the test has open", len(all), err)
			}
		}
	})
}

// While no relay answers, SendAll holds what it has. That must not hold Pause or Close.
func TestClosedDuringAnOutage(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		cfg := testConfig(t, database, testClient(t, cluster))
		cfg.Render, cfg.StopGrace, cfg.Retry = slowly, 500*time.Millisecond, []time.Duration{time.Second, time.Second, time.Second}
		b := newBox(t, cfg)
		const n = 2000
		if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(n)); err != nil {
			t.Fatal(err)
		}
		waitAccepted(t, cluster, 100)
		for i := range 2 {
			cluster.Primary(i).Stop()
		}
		still(t, cluster)
		if err := b.Pause(t.Context(), "news", "an outage"); err != nil {
			t.Fatal(err)
		}
		waitOpen(t, b)
		if err := b.Resume(t.Context(), "news"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		begin := time.Now()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("Close took %v", took)
		}
		for i := range 2 {
			cluster.Primary(i).Start()
		}
		cfg.Client = testClient(t, cluster)
		b = newBox(t, cfg)
		ended(t, b, "news")
		// What a relay had at its final dot when it was switched off is in doubt.
		holdAgainst(t, b, cluster, "news", n, 40, false)
	})
}

// waitOpen waits until nothing is under way.
func waitOpen(t *testing.T, b *Box) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); b.Stats().Open > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d are under way, and the mailing is paused", b.Stats().Open)
		}
	}
}

// A process that renders nothing leaves mailings alone.
func TestWithoutRender(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	database := t.TempDir() + "/o.db"
	cfg := testConfig(t, database, testClient(t, cluster))
	cfg.Render = nil
	b := newBox(t, cfg)
	if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(10)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if s, err := b.Status(t.Context(), "news"); err != nil || s.Outcomes[Pending] != 10 {
		t.Errorf("got %+v, %v", s, err)
	}
	other := newBox(t, testConfig(t, database, testClient(t, cluster)))
	if s := ended(t, other, "news"); s.Outcomes[Accepted] != 10 {
		t.Errorf("got %v", s.Outcomes)
	}
}
