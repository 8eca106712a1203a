package outbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// failed is a genuine bounce about a mail.
func failed(mailing, n int64, key string, category bounce.Category) bounce.Event {
	return bounce.Event{
		Token: verp.Token{ID: ledgerID(mailing, n)}, Verdict: bounce.Valid, Key: key,
		Report: &bounce.Report{Kind: bounce.Failed, Recipients: []bounce.Recipient{{Action: "failed", Status: "5.1.1", Permanent: true, Category: category}}},
	}
}

func complaint(mailing, n int64, key string) bounce.Event {
	return bounce.Event{Token: verp.Token{ID: ledgerID(mailing, n)}, Verdict: bounce.Valid, Key: key, Report: &bounce.Report{Kind: bounce.Complaint, FeedbackType: "abuse"}}
}

// From relay to ledger with nothing in between that is ours alone: the cluster's relays bounce to a Receiver whose Handle is
// Record.
func TestBouncesComeBack(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cluster := mxtest.NewCluster(t, mxtest.Config{Bounces: "lmtp:" + l.Addr().String()})
		cluster.Destination("provider3.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user"), "user3*")
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		receiver := &bounce.Receiver{Codec: testCodec(), Handle: b.Record, Hostname: "bounce.shop.test"}
		go func() { _ = receiver.ServeLMTP(l) }()
		t.Cleanup(func() { _ = receiver.Close() })
		if _, err := b.Start(t.Context(), Mailing{Name: "news", AutoPause: AutoPause{Share: 2}}, people(100)); err != nil {
			t.Fatal(err)
		}
		ended(t, b, "news")
		s := waitFor(t, b, "news", func(s Status) bool { return len(s.Returned) == 1 && s.Returned[0].Count == 10 })
		want := ReturnedTally{Kind: bounce.Failed, Category: bounce.MailboxUnknown, Permanent: true, Count: 10}
		if s.Returned[0] != want {
			t.Errorf("got %+v, want %+v", s.Returned[0], want)
		}
		var bounced []string
		for r, err := range b.Recipients(t.Context(), "news", Filter{Returned: bounce.Failed}) {
			if err != nil || r.Outcome != Accepted || r.Category != bounce.MailboxUnknown || r.ReturnedAt.IsZero() {
				t.Fatalf("got %+v, %v", r, err)
			}
			bounced = append(bounced, r.Address)
		}
		slices.Sort(bounced)
		if len(bounced) != 10 || bounced[0] != "user30@provider3.test" || bounced[9] != "user39@provider3.test" {
			t.Errorf("got %v", bounced)
		}
		// Who bounced gets no other mailing, of whatever list.
		if _, err := b.Start(t.Context(), Mailing{Name: "next", List: "other"}, people(100)); err != nil {
			t.Fatal(err)
		}
		if s := ended(t, b, "next"); s.Outcomes[Skipped] != 10 || s.Outcomes[Accepted] != 90 {
			t.Errorf("got %v", s.Outcomes)
		}
	})
}

func TestRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		if _, err := b.Start(t.Context(), Mailing{Name: "news", List: "weekly"}, people(10)); err != nil {
			t.Fatal(err)
		}
		ended(t, b, "news")
		m, err := b.mailingNamed(t.Context(), "news")
		if err != nil {
			t.Fatal(err)
		}
		address := func(n int64) string { return fmt.Sprintf("user%d@provider%d.test", m.order.line(n), m.order.line(n)) }
		record := func(e bounce.Event) {
			t.Helper()
			if err := b.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		suppressed := func(n int64) []Suppression {
			t.Helper()
			s, err := b.Suppressed(t.Context(), address(n))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}

		for range 3 { // Handle was asked again
			record(failed(m.id, 0, "key 0", bounce.MailboxUnknown))
		}
		if s := suppressed(0); len(s) != 1 || s[0].Count != 1 || !s[0].Active || s[0].List != "" || s[0].Reason != ReasonBounce {
			t.Errorf("one bounce that came three times: %+v", s)
		}
		forged := failed(m.id, 1, "key 1", bounce.MailboxUnknown)
		for _, verdict := range []bounce.Verdict{bounce.Unverified, bounce.Expired, bounce.Forged, bounce.Foreign} {
			forged.Verdict = verdict
			record(forged)
		}
		record(failed(m.id, 2, "key 2", bounce.MailboxFull))
		record(failed(m.id, 3, "key 3", bounce.Policy))
		record(complaint(m.id, 4, "key 4"))
		for n, want := range map[int64]int{1: 0, 2: 0, 3: 0, 4: 1} {
			if s := suppressed(n); len(s) != want {
				t.Errorf("recipient %d: %+v", n, s)
			}
		}
		if s := suppressed(4); len(s) == 1 && (s[0].List != "weekly" || s[0].Reason != ReasonComplaint) {
			t.Errorf("a complaint: %+v", s)
		}
		// A warning that comes after the bounce does not replace it; one before is replaced.
		delayed := failed(m.id, 0, "key late", bounce.Network)
		delayed.Report.Kind = bounce.Delayed
		record(delayed)
		// Hostile: no such mailing, no such recipient, no report, no key, an id of another size.
		record(failed(99, 0, "a", bounce.MailboxUnknown))
		record(failed(m.id, 99, "b", bounce.MailboxUnknown))
		record(failed(0, 99, "c", bounce.MailboxUnknown))
		record(failed(1<<31, 1<<32-1, "d", bounce.MailboxUnknown))
		record(bounce.Event{Verdict: bounce.Valid, Key: "e"})
		record(bounce.Event{Verdict: bounce.Valid, Report: &bounce.Report{Kind: bounce.Failed}, Key: "f", Token: verp.Token{ID: []byte{1}}})
		record(failed(m.id, 5, "nul \x00 \xff "+string(make([]byte, 2000)), bounce.Spam))

		found, err := b.Find(t.Context(), address(0))
		if err != nil || len(found) != 1 || found[0].Returned != bounce.Failed || found[0].Category != bounce.MailboxUnknown {
			t.Errorf("got %+v, %v", found, err)
		}
		s, err := b.Status(t.Context(), "news")
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for _, r := range s.Returned {
			total += r.Count
		}
		if total != 6 {
			t.Errorf("%d events counted, want 6: %+v", total, s.Returned)
		}
		hours, err := b.ReturnedSince(t.Context(), "news", time.Now().Add(-time.Hour))
		if err != nil || len(hours) == 0 || hours[0].Hour.IsZero() {
			t.Errorf("by hours: %+v, %v", hours, err)
		}
		// A bounce of a mailing says nothing about a password reset: it is sent.
		tx, err := b.DB().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		id, err := b.Enqueue(t.Context(), tx, Mail{To: address(0), Content: []byte("From: a@shop.test\r\n\r\nx\r\n")})
		if err != nil || tx.Commit() != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := cluster.WaitFor(ctx, func(c mxtest.Counts) bool { return c.Accepted == 11 }); err != nil {
			t.Fatal(err)
		}
		record(failed(0, id, "key transactional", bounce.MailboxUnknown))
		if one, err := b.Mail(t.Context(), id); err != nil || one.Returned != bounce.Failed {
			t.Errorf("got %+v, %v", one, err)
		}
	})
}

func TestThresholdExpiryAndBurst(t *testing.T) {
	b := newBox(t, func() Config {
		cfg := testConfig(t, t.TempDir()+"/o.db", nil)
		cfg.Suppression = SuppressionPolicy{Threshold: 2, Expiry: time.Hour, Burst: 3}
		return cfg
	}())
	bounceOf := func(address string) {
		t.Helper()
		first, rest := b.hasher()(address)
		if err := b.store.begin(t.Context(), func(x *tx) error {
			return x.suppress(t.Context(), b.cfg.Suppression, everyList, first, rest, provider(address), ReasonBounce)
		}); err != nil {
			t.Fatal(err)
		}
	}
	blocked := func(address string) bool {
		t.Helper()
		people := []person{{Recipient: Recipient{Address: address}}}
		if err := b.markSuppressed(t.Context(), "any", people); err != nil {
			t.Fatal(err)
		}
		return people[0].suppressed != ""
	}
	bounceOf("a@one.test")
	if blocked("a@one.test") {
		t.Error("suppressed below the threshold")
	}
	bounceOf("A@ONE.test")
	if !blocked("a@one.test") {
		t.Error("not suppressed at the threshold")
	}
	if s, err := b.Suppressed(t.Context(), "a@one.test"); err != nil || len(s) != 1 || time.Until(s[0].Until) > time.Hour || s[0].Until.IsZero() {
		t.Errorf("got %+v, %v; want it to expire in an hour", s, err)
	}
	if err := b.Unsuppress(t.Context(), "", "a@one.test"); err != nil || blocked("a@one.test") {
		t.Errorf("removed, and still suppressed: %v", err)
	}
	for i := range 4 { // a provider's fault
		for range 2 {
			bounceOf(fmt.Sprintf("u%d@two.test", i))
		}
	}
	for i := range 4 {
		if blocked(fmt.Sprintf("u%d@two.test", i)) {
			t.Errorf("u%d is suppressed by a burst that nobody has reviewed", i)
		}
	}
	held, err := b.Held(t.Context())
	if err != nil || len(held) != 1 || held[0].Domain != "two.test" || held[0].Count != 4 {
		t.Fatalf("got %+v, %v", held, err)
	}
	if err := b.Release(t.Context(), "two.test"); err != nil || !blocked("u3@two.test") {
		t.Errorf("released, and not suppressed: %v", err)
	}
	if err := b.Discard(t.Context(), "two.test"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Discard of what is not held: %v", err)
	}
	if err := b.Suppress(t.Context(), "weekly", slices.Values([]string{"x@one.test", "y@one.test"})); err != nil {
		t.Fatal(err)
	}
	sums, err := b.SuppressionTallies(t.Context())
	if err != nil || len(sums) != 2 || sums[0] != (SuppressionTally{List: "", Reason: ReasonBounce, Active: 4}) || sums[1] != (SuppressionTally{List: "weekly", Reason: ReasonImport, Active: 2}) {
		t.Errorf("got %+v, %v", sums, err)
	}
	if blocked("x@one.test") { // of another list
		t.Error("an import into one list has effect in another")
	}
}

func TestForgetAndRetention(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		cfg := testConfig(t, database, testClient(t, cluster))
		cfg.Retention.Recipients = map[Outcome]time.Duration{Accepted: 0}
		b := newBox(t, cfg)
		if err := b.Suppress(t.Context(), "", slices.Values([]string{"user7@provider7.test"})); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(10)); err != nil {
			t.Fatal(err)
		}
		ended(t, b, "news")
		n, err := b.Forget(t.Context(), "User1@provider1.test")
		if err != nil || n != 1 {
			t.Errorf("Forget: %d, %v", n, err)
		}
		if found, err := b.Find(t.Context(), "user1@provider1.test"); err != nil || len(found) != 0 {
			t.Errorf("found %+v, %v", found, err)
		}
		time.Sleep(5 * time.Millisecond)
		b.alive().purge(t.Context())
		left := 0
		for r, err := range b.Recipients(t.Context(), "news", Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Address != "" {
				left++
				if r.Outcome != Skipped {
					t.Errorf("kept: %+v", r)
				}
			}
		}
		if s, err := b.Status(t.Context(), "news"); left != 1 || err != nil || s.Outcomes[Accepted] != 9 {
			t.Errorf("%d recipients are left, want the one that was skipped; %v, %v", left, s.Outcomes, err)
		}
	})
}
