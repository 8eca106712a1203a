package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A report compares what the client says of every mail with where the ledger knows it to be.
type report struct {
	Submitted    int `json:"submitted"`
	Accepted     int `json:"accepted"`
	Rejected     int `json:"rejected"`
	Deferred     int `json:"deferred"`
	InDoubt      int `json:"in_doubt"`
	NotAttempted int `json:"not_attempted"`

	*Known // nil with real relays

	Decoded int            `json:"bounces_decoded"` // bounces that were joined to the recipient they are about
	Seconds float64        `json:"seconds"`
	Relays  map[string]int `json:"relays"` // mails accepted, as the client counts them

	perRelay map[string]map[mxsend.Lane]int
	slowest  time.Duration // Send of a transactional mail
	median   time.Duration
	reasons  map[string]int // of bounces
	faults   []string
}

// Known is what only the ledger of relays in this process knows.
type Known struct {
	Delivered         int `json:"delivered"`
	AtGraveyard       int `json:"at_graveyard"`
	Bounced           int `json:"bounced"`
	Lost              int `json:"lost"`
	Duplicates        int `json:"duplicates"`
	SignaturesValid   int `json:"signatures_valid"`
	SignaturesInvalid int `json:"signatures_invalid"`
}

func (w *world) report(m *mailing, took time.Duration) *report {
	r := &report{
		Submitted: len(m.sent), Seconds: float64(took.Milliseconds()) / 1000,
		Relays: map[string]int{}, perRelay: map[string]map[mxsend.Lane]int{}, reasons: map[string]int{},
	}
	for _, name := range w.primaries(m.sent) {
		r.Relays[name] = 0
		r.perRelay[name] = map[mxsend.Lane]int{}
	}
	r.tally(m.sent)
	r.joinBounces(w, m.sent)
	if sum := r.Accepted + r.Rejected + r.Deferred + r.InDoubt + r.NotAttempted; sum != r.Submitted {
		r.fault("%d mails were submitted and %d have an outcome", r.Submitted, sum)
	}
	if w.cluster != nil {
		r.askLedger(m.sent, w.cluster.Ledger())
	} else if r.Accepted < r.Submitted {
		r.fault("%d mails of %d were not accepted", r.Submitted-r.Accepted, r.Submitted)
	}
	return r
}

// primaries are the relays to list: all there are, or all that took mail.
func (w *world) primaries(sent []submission) []string {
	if w.cluster == nil {
		return relaysOf(sent)
	}
	var names []string
	for _, relay := range w.cluster.Relays() {
		if strings.HasPrefix(relay.Name(), "p") {
			names = append(names, relay.Name())
		}
	}
	return names
}

// askLedger holds all that is known against the ledger.
func (r *report) askLedger(sent []submission, ledger *mxtest.Ledger) {
	counts := ledger.Counts()
	r.Known = &Known{Delivered: counts.Delivered, AtGraveyard: counts.AtGraveyard, Bounced: counts.Bounced, Lost: counts.Lost, Duplicates: counts.Duplicates}
	r.compare(sent, ledger)
	r.verifySignatures(ledger)
	if sum := counts.Delivered + counts.Queued + counts.Deferred + counts.Bounced + counts.Lost; sum != counts.Accepted || counts.Queued > 0 {
		r.fault("the relays took %d mails and know of %d, %d of them still queued", counts.Accepted, sum, counts.Queued)
	}
	if r.Decoded != r.Bounced {
		r.fault("%d mails bounced and %d bounces were joined to their recipient", r.Bounced, r.Decoded)
	}
}

func (r *report) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// tally counts the outcomes.
func (r *report) tally(sent []submission) {
	var waits []time.Duration
	for _, s := range sent {
		switch s.outcome {
		case mxsend.Accepted:
			r.Accepted++
			r.Relays[s.relay]++
			r.perRelay[s.relay][s.lane]++
		case mxsend.Rejected:
			r.Rejected++
		case mxsend.Deferred:
			r.Deferred++
		case mxsend.InDoubt:
			r.InDoubt++
		default:
			r.NotAttempted++
		}
		if s.lane == mxsend.Transactional {
			waits = append(waits, s.took)
		}
	}
	if len(waits) > 0 {
		slices.Sort(waits)
		r.median, r.slowest = waits[len(waits)/2], waits[len(waits)-1]
	}
}

// compare holds each outcome against the number of copies that the relays took.
func (r *report) compare(sent []submission, ledger *mxtest.Ledger) {
	copies := map[string]int{}
	for _, mail := range ledger.Mails() {
		for _, to := range mail.Recipients {
			copies[to.Address]++
		}
	}
	for _, s := range sent {
		n := copies[s.address]
		delete(copies, s.address)
		switch {
		case s.outcome == mxsend.Accepted && n == 0:
			r.Lost++
			r.fault("mail %d was accepted, but no relay has it", s.id)
		case s.outcome == mxsend.InDoubt && n <= 1, s.outcome == mxsend.Accepted && n == 1, n == 0:
		default:
			r.fault("mail %d is %v, and relays have %d copies", s.id, s.outcome, n)
		}
	}
	if len(copies) > 0 {
		r.fault("relays have mail to %d recipients that nobody submitted", len(copies))
	}
}

// joinBounces counts the bounces whose return path led to the recipient that they are about.
func (r *report) joinBounces(w *world, sent []submission) {
	w.mu.Lock()
	defer w.mu.Unlock()
	address := make(map[uint64]string, len(sent))
	for _, s := range sent {
		address[s.id] = s.address
	}
	for id, about := range w.bounced {
		if about.Address != address[id] {
			r.fault("a bounce about recipient %d came back under another's return path", id)
			continue
		}
		r.Decoded++
		r.reasons[fmt.Sprintf("%s %v", about.Status, about.Category)]++
	}
	if w.strays > 0 {
		r.fault("%d mails came back that are no bounce of ours", w.strays)
	}
}

// verifySignatures has the destinations verify, with go-msgauth and the keys in DNS.
func (r *report) verifySignatures(ledger *mxtest.Ledger) {
	for _, delivery := range ledger.Deliveries("") {
		for _, s := range delivery.Signatures() {
			if s.Err != nil {
				r.SignaturesInvalid++
			} else {
				r.SignaturesValid++
			}
		}
	}
	if r.SignaturesInvalid > 0 || r.SignaturesValid != 2*r.Delivered {
		r.fault("%d signatures are valid and %d are not, on %d mails with two each", r.SignaturesValid, r.SignaturesInvalid, r.Delivered)
	}
}

// verdict is nil if the ledger is exact and nothing is lost; with real relays, if all is well as far as an application can know.
func (r *report) verdict() error {
	faults := strings.Join(r.faults[:min(5, len(r.faults))], "; ")
	switch {
	case r.Known == nil && faults != "":
		return errors.New(faults)
	case r.Known != nil && (r.Lost > 0 || r.Duplicates > 0 || faults != ""):
		return fmt.Errorf("%w: lost %d, duplicates %d; %s", errInexact, r.Lost, r.Duplicates, faults)
	}
	return nil
}

func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\naccepted by\tbulk\ttransactional\t\n")
	for _, name := range slices.Sorted(maps.Keys(r.perRelay)) {
		fmt.Fprintf(t, "%s\t%d\t%d\t\n", name, r.perRelay[name][mxsend.Bulk], r.perRelay[name][mxsend.Transactional])
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\nsubmitted %d: accepted %d, rejected %d, deferred %d, in doubt %d, not attempted %d\n",
		r.Submitted, r.Accepted, r.Rejected, r.Deferred, r.InDoubt, r.NotAttempted)
	fmt.Fprintf(w, "transactional Send: median %v, slowest %v\n", r.median.Round(100*time.Microsecond), r.slowest.Round(100*time.Microsecond))
	if r.Known != nil {
		fmt.Fprintf(w, "\nat the destinations %d (DKIM: %d signatures valid, %d not), at a graveyard %d, bounced %d\n",
			r.Delivered, r.SignaturesValid, r.SignaturesInvalid, r.AtGraveyard, r.Bounced)
	}
	fmt.Fprintf(w, "bounces joined to their recipient: %d\n", r.Decoded)
	for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
		fmt.Fprintf(w, "  %5d × %s\n", r.reasons[reason], reason)
	}
	if r.Known == nil {
		fmt.Fprintf(w, "\nwhere the other %d accepted mails are, the relays' logs tell (%.1f s)\n", r.Accepted-r.Decoded, r.Seconds)
		return
	}
	verdict := "nothing lost, no duplicates"
	if err := r.verdict(); err != nil {
		verdict = "NOT exact"
	}
	fmt.Fprintf(w, "\nledger: %s (%.1f s)\n", verdict, r.Seconds)
}
