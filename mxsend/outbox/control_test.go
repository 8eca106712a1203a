package outbox

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func ended(t *testing.T, b *Box, name string) Status {
	t.Helper()
	return waitFor(t, b, name, Status.Ended)
}

func TestPauseResumeCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		cfg := testConfig(t, database, testClient(t, cluster))
		cfg.Render, cfg.Gate = slowly, 100
		b := newBox(t, cfg)
		const n = 2000
		if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(n)); err != nil {
			t.Fatal(err)
		}
		waitAccepted(t, cluster, 200)
		if err := b.Pause(t.Context(), "news", "a typo in the subject"); err != nil {
			t.Fatal(err)
		}
		at := cluster.Ledger().Counts().Accepted
		waitOpen(t, b)
		stopped := still(t, cluster)
		if stopped > at+cfg.Gate || stopped >= n {
			t.Errorf("the relays had %d when it was paused, and got %d", at, stopped)
		}
		s, err := b.Status(t.Context(), "news")
		if err != nil || s.State != Paused || s.Why != "a typo in the subject" || s.Outcomes[Accepted] != int64(stopped) || s.Outcomes[Pending] != int64(n-stopped) {
			t.Errorf("got %+v, %v; want it paused with %d accepted", s, err, stopped)
		}
		if err := b.Resume(t.Context(), "news"); err != nil {
			t.Fatal(err)
		}
		waitAccepted(t, cluster, stopped+100)
		if err := b.Cancel(t.Context(), "news", "wrong list"); err != nil {
			t.Fatal(err)
		}
		waitOpen(t, b)
		stopped = still(t, cluster)
		s, err = b.Status(t.Context(), "news")
		if err != nil || s.State != Cancelled || s.Outcomes[Accepted] != int64(stopped) || stopped >= n {
			t.Errorf("got %+v, %v; want it cancelled with %d accepted", s, err, stopped)
		}
		for what, err := range map[string]error{
			"Resume": b.Resume(t.Context(), "news"), "Pause": b.Pause(t.Context(), "news", ""),
		} {
			if !errors.Is(err, ErrState) {
				t.Errorf("%s of a cancelled mailing: %v", what, err)
			}
		}
		if err := b.Pause(t.Context(), "none", ""); !errors.Is(err, ErrUnknown) {
			t.Errorf("Pause of a mailing that is not there: %v", err)
		}
		cluster.Ledger().AssertNoDuplicates(t, 0)
	})
}

func TestCanaryWaitsForAGo(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		if _, err := b.Start(t.Context(), Mailing{Name: "news", Canary: 30}, people(500)); err != nil {
			t.Fatal(err)
		}
		s := waitFor(t, b, "news", func(s Status) bool { return s.State == Waiting })
		if got := still(t, cluster); got != 30 || s.Outcomes[Accepted] != 30 || s.Why != whyCanary {
			t.Errorf("the canary was sent to %d; %+v", got, s)
		}
		if err := b.Resume(t.Context(), "news"); err != nil {
			t.Fatal(err)
		}
		if s := ended(t, b, "news"); s.Outcomes[Accepted] != 500 {
			t.Errorf("got %v", s.Outcomes)
		}
		// Or for a time.
		if _, err := b.Start(t.Context(), Mailing{Name: "more", Canary: 10, CanaryFor: 300 * time.Millisecond}, people(50)); err != nil {
			t.Fatal(err)
		}
		if s := ended(t, b, "more"); s.Outcomes[Accepted] != 50 {
			t.Errorf("got %v", s.Outcomes)
		}
	})
}

func TestStartAtAndNotAfter(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		begin := time.Now()
		if _, err := b.Start(t.Context(), Mailing{Name: "later", StartAt: begin.Add(time.Second)}, people(10)); err != nil {
			t.Fatal(err)
		}
		s, err := b.Status(t.Context(), "later")
		if err != nil || s.State != Waiting || s.GoAt.IsZero() {
			t.Errorf("got %+v, %v", s, err)
		}
		if _, err := b.Start(t.Context(), Mailing{Name: "slow", Rate: 10, NotAfter: begin.Add(3 * time.Second)}, people(100)); err != nil {
			t.Fatal(err)
		}
		if s := ended(t, b, "later"); s.Outcomes[Accepted] != 10 || time.Since(begin) < time.Second {
			t.Errorf("after %v: %v", time.Since(begin), s.Outcomes)
		}
		if s := ended(t, b, "slow"); s.State != Cancelled || s.Outcomes[Accepted] >= 50 || s.Outcomes[Accepted] == 0 {
			t.Errorf("a mailing of 10 a second that ended after 3 s: %s %v", s.State, s.Outcomes)
		}
	})
}

func TestRateIsChanged(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	b := newBox(t, testConfig(t, t.TempDir()+"/o.db", testClient(t, cluster)))
	if _, err := b.Start(t.Context(), Mailing{Name: "news", Rate: 50}, people(1000)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if n := cluster.Ledger().Counts().Accepted; n > 120 || n < 20 {
		t.Errorf("%d in 2 s at 50 a second", n)
	}
	if err := b.SetRate(t.Context(), "news", 0); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if s := ended(t, b, "news"); s.Outcomes[Accepted] != 1000 || time.Since(begin) > 40*time.Second {
		t.Errorf("%v after %v", s.Outcomes, time.Since(begin))
	}
}

func TestAutoPause(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	for i := range 2 { // the relays themselves refuse every fifth
		cluster.Primary(i).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "550 5.1.1 no such user", Recipient: "*5@*", Times: mxtest.Always},
			mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "550 5.1.1 no such user", Recipient: "*0@*", Times: mxtest.Always})
	}
	cfg := testConfig(t, t.TempDir()+"/o.db", testClient(t, cluster))
	cfg.Render = slowly
	b := newBox(t, cfg)
	if _, err := b.Start(t.Context(), Mailing{Name: "news", AutoPause: AutoPause{Least: 100}}, people(8000)); err != nil {
		t.Fatal(err)
	}
	s := waitFor(t, b, "news", func(s Status) bool { return s.State == Paused })
	if !strings.Contains(s.Why, "rejected") || s.Outcomes[Rejected] == 0 {
		t.Errorf("got %+v", s)
	}
	// Who resumes it has decided; it pauses for what comes then, not for what was.
	if err := b.Resume(t.Context(), "news"); err != nil {
		t.Fatal(err)
	}
	if s, err := b.Status(t.Context(), "news"); err != nil || s.State != Running {
		t.Errorf("got %s, %v", s.State, err)
	}
}

func TestAutoPauseDecides(t *testing.T) {
	for _, test := range []struct {
		policy AutoPause
		c      count
		want   bool
	}{
		{AutoPause{}, count{499, 499}, false}, {AutoPause{}, count{500, 50}, false}, {AutoPause{}, count{500, 51}, true},
		{AutoPause{Share: 0.5, Least: 10}, count{10, 5}, false}, {AutoPause{Share: 0.5, Least: 10}, count{10, 6}, true},
		{AutoPause{Share: 2}, count{1000, 1000}, false},
	} {
		if got := test.policy.tooMany(test.c); got != test.want {
			t.Errorf("%+v of %+v: %v", test.policy, test.c, got)
		}
	}
}

func TestStartedTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		m := Mailing{Name: "news", Params: map[string]string{"a": "1", "b": "2"}}
		if _, err := b.Start(t.Context(), m, people(100)); err != nil {
			t.Fatal(err)
		}
		read := false
		again, err := b.Start(t.Context(), m, func(func(Recipient, error) bool) { read = true })
		if err != nil || !again.Resumed || again.Recipients != 100 || read {
			t.Errorf("the same again: %+v, %v, the list was read: %v", again, err, read)
		}
		m.Rate = 7
		if _, err := b.Start(t.Context(), m, people(100)); !errors.Is(err, ErrOtherMailing) {
			t.Errorf("another under the same name: %v", err)
		}
		if s := ended(t, b, "news"); s.Outcomes[Accepted] != 100 {
			t.Errorf("got %v", s.Outcomes)
		}
		if _, err := b.Start(t.Context(), Mailing{Name: "empty"}, people(0)); err != nil {
			t.Fatal(err)
		}
		if s := ended(t, b, "empty"); s.State != Done {
			t.Errorf("an empty mailing is %s", s.State)
		}
	})
}

func of(addresses ...string) iter.Seq2[Recipient, error] {
	return func(yield func(Recipient, error) bool) {
		for _, a := range addresses {
			r, err := Recipient{Address: a}, error(nil)
			if a == "broken" {
				err = errors.New("line 7: broken")
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestHostileLists(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		cfg := testConfig(t, database, testClient(t, cluster))
		cfg.Render = func(ctx context.Context, d Draft) (*mxsend.Message, error) {
			switch {
			case strings.HasPrefix(d.Recipient.Address, "panic"):
				panic(d.Recipient.Address)
			case strings.HasPrefix(d.Recipient.Address, "fail"):
				return nil, fmt.Errorf("no value for %s", d.Recipient.Address)
			case strings.HasPrefix(d.Recipient.Address, "nil"):
				return nil, nil
			case strings.HasPrefix(d.Recipient.Address, "other"):
				return &mxsend.Message{Recipients: []string{"x@example.test"}, Content: []byte("From: a@shop.test\r\n\r\nx\r\n")}, nil
			}
			return render(ctx, d)
		}
		cfg.Skip = func(_ context.Context, _ Mailing, r Recipient) string {
			if strings.HasPrefix(r.Address, "capped") {
				return "three mails this week"
			}
			if strings.HasPrefix(r.Address, "skippanic") {
				panic("skip")
			}
			return ""
		}
		b := newBox(t, cfg)
		list := []string{"a@example.test", "broken", "A@Example.test", "panic@example.test", "fail@example.test", "nil@example.test", "other@example.test",
			"capped@example.test", "skippanic@example.test", "no address", "", "\xff@example.test", "nul\x00@example.test", strings.Repeat("x", 321) + "@example.test",
			"a\r\nRCPT TO:<b@example.test>", "b@example.test"}
		_, err := b.Start(t.Context(), Mailing{Name: "news"}, of(list...))
		if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "line 7") {
			t.Fatalf("got %v, want the broken line to refuse all", err)
		}
		if _, err := b.Status(t.Context(), "news"); !errors.Is(err, ErrUnknown) {
			t.Errorf("a mailing that was refused: %v", err)
		}
		loaded, err := b.Start(t.Context(), Mailing{Name: "news", SkipBroken: true}, of(list...))
		if err != nil || loaded.Broken != 5 || loaded.Duplicates != 1 || loaded.Recipients != 11 || len(loaded.Errors) != 5 {
			t.Fatalf("got %+v, %v", loaded, err)
		}
		s := ended(t, b, "news")
		if s.State != Done || s.Outcomes[Accepted] != 2 || s.Outcomes[Skipped] != 2 || s.Outcomes[Rejected] != 7 {
			t.Errorf("got %v", s.Outcomes)
		}
		for r, err := range b.Recipients(t.Context(), "news", Filter{Outcomes: []Outcome{Rejected, Skipped}}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Note == "" || strings.HasPrefix(r.Address, "fail") && (!strings.Contains(r.Note, "no value") || strings.Contains(r.Note, r.Address)) {
				t.Errorf("%s is %s: %q", r.Address, r.Outcome, r.Note)
			}
		}
		if got := cluster.Ledger().Counts().Accepted; got != 2 {
			t.Errorf("the relays took %d", got)
		}
		var table bytes.Buffer
		if err := b.Export(t.Context(), "news", Filter{}, &table); err != nil {
			t.Fatal(err)
		}
		if rows, err := csv.NewReader(&table).ReadAll(); err != nil || len(rows) != 12 {
			t.Errorf("the export has %d rows, %v", len(rows), err)
		}
	})
}

func TestSecondRounds(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		refuse := func(times int) {
			for i := range 2 {
				cluster.Primary(i).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "450 4.2.0 later", Recipient: "user1*@*", Times: times})
			}
		}
		refuse(mxtest.Always)
		client, err := mxsend.New(mxsend.Config{
			Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial, TLS: mxsend.TLSDisabled, Retry: noRounds,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		cfg := testConfig(t, database, client)
		cfg.Retry = []time.Duration{200 * time.Millisecond, 300 * time.Millisecond}
		b := newBox(t, cfg)
		if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(100)); err != nil {
			t.Fatal(err)
		}
		s := ended(t, b, "news")
		if s.State != Done || s.Outcomes[Deferred] != 11 || s.Outcomes[Accepted] != 89 {
			t.Fatalf("got %s %v, want 11 deferred", s.State, s.Outcomes)
		}
		for i := range 2 {
			cluster.Primary(i).ClearFaults()
		}
		if n, err := b.Resend(t.Context(), "news"); err != nil || n != 11 {
			t.Fatalf("Resend: %d, %v", n, err)
		}
		s = waitFor(t, b, "news", func(s Status) bool { return s.State == Done && s.Outcomes[Accepted] == 100 })
		if s.Outcomes[Deferred] != 0 {
			t.Errorf("got %v", s.Outcomes)
		}
		cluster.Ledger().AssertNoDuplicates(t, 0)
		if n, err := b.Resend(t.Context(), "news"); err != nil || n != 0 {
			t.Errorf("Resend to nobody: %d, %v", n, err)
		}
		if _, err := b.Resend(t.Context(), "news", Accepted); err == nil {
			t.Error("Resend to those accepted is no error")
		}
	})
}

// A reset of a password goes out while a mailing has taken up every place.
func TestTransactionalBesideTwoMailings(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		cfg := testConfig(t, database, testClient(t, cluster))
		var rendered [2]atomic.Int64
		cfg.Render = func(ctx context.Context, d Draft) (*mxsend.Message, error) {
			if d.Mailing.Name == "one" {
				rendered[0].Add(1)
			} else {
				rendered[1].Add(1)
			}
			return slowly(ctx, d)
		}
		b := newBox(t, cfg)
		for _, name := range []string{"one", "two"} {
			if _, err := b.Start(t.Context(), Mailing{Name: name}, people(3000)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			time.Sleep(50 * time.Millisecond)
			tx, err := b.DB().BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			id, err := b.Enqueue(t.Context(), tx, Mail{To: fmt.Sprintf("reset%d@example.test", i), Content: []byte("From: a@shop.test\r\n\r\nx\r\n")})
			if err == nil {
				err = tx.Commit()
			}
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			for {
				s, err := b.Mail(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if s.Outcome == Accepted {
					break
				}
				if time.Since(begin) > 20*time.Second {
					t.Fatalf("mail %d after 20 s: %+v", i, s)
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
		if rendered[0].Load() == 0 || rendered[1].Load() == 0 {
			t.Errorf("of two mailings %d and %d were rendered: one waits for the other", rendered[0].Load(), rendered[1].Load())
		}
		ended(t, b, "one")
		ended(t, b, "two")
		cluster.Ledger().AssertNoDuplicates(t, 6000) // both go to the same addresses, with the same Message-ID
	})
}

func TestPreview(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	b := newBox(t, testConfig(t, t.TempDir()+"/o.db", testClient(t, cluster)))
	receipt, err := b.Preview(t.Context(), Mailing{Name: "news"}, Recipient{Address: "jane@example.test"}, "me@shop.test")
	if err != nil || receipt.Recipients[0].Address != "me@shop.test" || len(cluster.Ledger().FindRecipient("me@shop.test")) != 1 {
		t.Errorf("got %+v, %v", receipt, err)
	}
	if len(cluster.Ledger().FindRecipient("jane@example.test")) != 0 {
		t.Error("the preview went to the recipient")
	}
	if _, err := b.Status(t.Context(), "news"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a preview has started the mailing: %v", err)
	}
}
