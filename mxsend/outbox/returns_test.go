package outbox

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mxsend/go-mxsend/verp/bounce"
)

// Totals are of the newest mailings only, with all hours and nothing of transactional mail.
func TestReturnedTotals(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBox(t, testConfig(t, database, nil))
		if got, err := b.ReturnedTotals(t.Context(), 10); err != nil || len(got) != 0 {
			t.Errorf("of no mailing: got %v, %v", got, err)
		}
		for i := range 3 {
			if _, err := b.Start(t.Context(), Mailing{Name: fmt.Sprint("m", i)}, people(10)); err != nil {
				t.Fatal(err)
			}
		}
		for mailing := range int64(4) { // 0 is transactional mail
			for hour := range 2 {
				_, err := b.DB().ExecContext(t.Context(), "INSERT INTO outbox_returned (mailing, hour, back, category, bad, count) VALUES ($1, $2, $3, $4, 1, $5)",
					mailing, hour*3600_000, int64(bounce.Failed), int64(bounce.MailboxUnknown), 10*mailing+1)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := b.ReturnedTotals(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		want := "map[m1:[{0001-01-01 00:00:00 +0000 UTC failed mailbox-unknown true 42}] m2:[{0001-01-01 00:00:00 +0000 UTC failed mailbox-unknown true 62}]]"
		if fmt.Sprint(got) != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
	})
}

func TestSuppressionTallies(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBox(t, testConfig(t, database, nil))
		if err := b.Suppress(t.Context(), "news", slices.Values([]string{"a@x.test", "b@x.test"})); err != nil {
			t.Fatal(err)
		}
		past, ever := nowMillis()-1, int64(0)
		for i, row := range [][]any{{"", 1, ever, 1, 0}, {"", 2, ever, 1, 1}, {"", 3, ever, 0, 0}, {"", 4, past, 1, 0}} {
			_, err := b.DB().ExecContext(t.Context(), `INSERT INTO outbox_suppression (list, hash, rest, reason, provider, at, until, count, active, held)
				VALUES ($1, $2, 0, 'bounce', 'x.test', 1, $3, 1, $4, $5)`, row...)
			if err != nil {
				t.Fatal(i, err)
			}
		}
		got, err := b.SuppressionTallies(t.Context())
		want := []SuppressionTally{{List: "", Reason: ReasonBounce, Active: 1, Held: 1, Rest: 2}, {List: "news", Reason: ReasonImport, Active: 2}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	})
}
