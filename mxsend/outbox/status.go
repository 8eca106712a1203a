package outbox

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mxsend/go-mxsend/verp/bounce"
)

// A Status is where a mailing is. It is read from sums that are kept as it goes, and costs milliseconds whatever its size.
type Status struct {
	Mailing    Mailing
	State      State
	Why        string    // why it waits, is paused or was cancelled
	GoAt       time.Time // when a waiting one goes on by itself; zero: not before Resume
	Rate       float64   // of all processes together; 0: unlimited
	Created    time.Time
	Finished   time.Time // zero: it has not ended
	Recipients int64
	Outcomes   map[Outcome]int64 // they add up to Recipients
	Relays     []RelayTally
	Returned   []ReturnedTally // what came back, by kind and category, since it began
}

// Ended says whether nothing more will be sent.
func (s Status) Ended() bool { return s.State == Done || s.State == Cancelled }

// A RelayTally is how many recipients a relay has given an outcome; those that none has have an empty Relay.
type RelayTally struct {
	Relay   string
	Outcome Outcome
	Count   int64
}

// A ReturnedTally is how many genuine reports came back. Hour is zero where all hours are summed up.
type ReturnedTally struct {
	Hour      time.Time
	Kind      bounce.Kind
	Category  bounce.Category
	Permanent bool
	Count     int64
}

// Status returns where a mailing is; of an unknown one the error is ErrUnknown.
func (b *Box) Status(ctx context.Context, name string) (Status, error) {
	m, err := b.mailingNamed(ctx, name)
	if err != nil {
		return Status{}, err
	}
	all, err := b.statuses(ctx, " WHERE id = $1", m.id)
	if err != nil || len(all) == 0 {
		return Status{}, noRowsIs(err, ErrUnknown)
	}
	s := all[0]
	s.Returned, err = b.returned(ctx, m.id)
	return s, err
}

// Mailings returns the status of the newest mailings, at most limit of them, without Returned.
func (b *Box) Mailings(ctx context.Context, limit int) ([]Status, error) {
	return b.statuses(ctx, " ORDER BY id DESC LIMIT $1", limit)
}

func (b *Box) statuses(ctx context.Context, which string, args ...any) ([]Status, error) {
	type row struct {
		id                      int64
		spec                    string
		goAt, created, finished int64
		s                       Status
	}
	rows, err := b.store.read.QueryContext(ctx, "SELECT id, spec, state, why, go_at, rate, created, finished, recipients FROM outbox_mailing"+which, args...)
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.id, &r.spec, &r.s.State, &r.s.Why, &r.goAt, &r.s.Rate, &r.created, &r.finished, &r.s.Recipients}
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	ids := make([]int64, len(found))
	for i, r := range found {
		ids[i] = r.id
	}
	relays, err := b.relays(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(found))
	for i, r := range found {
		s := r.s
		if err := json.Unmarshal([]byte(r.spec), &s.Mailing); err != nil {
			return nil, err
		}
		s.GoAt, s.Created, s.Finished = moment(r.goAt), moment(r.created), moment(r.finished)
		s.Relays, s.Outcomes = relays[r.id], map[Outcome]int64{}
		pending := s.Recipients
		for _, relay := range s.Relays {
			s.Outcomes[relay.Outcome] += relay.Count
			pending -= relay.Count
		}
		if pending > 0 {
			s.Outcomes[Pending] = pending
		}
		all[i] = s
	}
	return all, nil
}

func (b *Box) relays(ctx context.Context, mailings []int64) (map[int64][]RelayTally, error) {
	type row struct {
		mailing int64
		t       RelayTally
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT mailing, relay, outcome, sum(count) FROM outbox_tally
		WHERE mailing IN (`+list(mailings)+`) GROUP BY mailing, relay, outcome HAVING sum(count) <> 0 ORDER BY mailing, relay, outcome`)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.mailing, &r.t.Relay, &r.t.Outcome, &r.t.Count} })
	relays := map[int64][]RelayTally{}
	for _, r := range found {
		relays[r.mailing] = append(relays[r.mailing], r.t)
	}
	return relays, err
}

func (b *Box) returned(ctx context.Context, mailing int64) ([]ReturnedTally, error) {
	rows, err := b.store.read.QueryContext(ctx, `SELECT back, category, bad, sum(count) FROM outbox_returned WHERE mailing = $1
		GROUP BY back, category, bad ORDER BY back, category, bad`, mailing)
	return collect(rows, err, func(r *ReturnedTally) []any { return []any{&r.Kind, &r.Category, &r.Permanent, &r.Count} })
}

// ReturnedSince returns what came back to a mailing hour by hour, from a time on; an empty name stands for transactional mail.
func (b *Box) ReturnedSince(ctx context.Context, name string, since time.Time) ([]ReturnedTally, error) {
	var id int64
	if name != "" {
		m, err := b.mailingNamed(ctx, name)
		if err != nil {
			return nil, err
		}
		id = m.id
	}
	type row struct {
		hour int64
		t    ReturnedTally
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT hour, back, category, bad, count FROM outbox_returned
		WHERE mailing = $1 AND hour >= $2 ORDER BY hour, back, category, bad`, id, since.Truncate(time.Hour).UnixMilli())
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.hour, &r.t.Kind, &r.t.Category, &r.t.Permanent, &r.t.Count} })
	all := make([]ReturnedTally, len(found))
	for i, r := range found {
		r.t.Hour = moment(r.hour)
		all[i] = r.t
	}
	return all, err
}

// A TransactionalStatus is how transactional mail does.
type TransactionalStatus struct {
	// Queued is how many mails are not finished, those that wait for a next round included. It is counted up to 100,000.
	Queued   int64
	Oldest   time.Time // since when the one that is due longest is; zero: none is due
	Outcomes map[Outcome]int64
	Relays   []RelayTally
	Returned []ReturnedTally
}

// Transactional returns how transactional mail does.
func (b *Box) Transactional(ctx context.Context) (s TransactionalStatus, err error) {
	var oldest int64
	if err = b.store.read.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM outbox_mail WHERE due <> 0 LIMIT 100000) AS open").Scan(&s.Queued); err != nil {
		return s, err
	}
	if err = b.store.read.QueryRowContext(ctx, "SELECT COALESCE(min(due), 0) FROM outbox_mail WHERE due <> 0 AND due <= $1", nowMillis()).Scan(&oldest); err != nil {
		return s, err
	}
	relays, err := b.relays(ctx, []int64{0})
	if err != nil {
		return s, err
	}
	s.Oldest, s.Relays, s.Outcomes = moment(oldest), relays[0], map[Outcome]int64{}
	for _, r := range s.Relays {
		s.Outcomes[r.Outcome] += r.Count
	}
	s.Returned, err = b.returned(ctx, 0)
	return s, err
}

// A Process is one that shares the database.
type Process struct {
	ID, Host string
	Sends    bool // has a Client
	Started  time.Time
	Until    time.Time // of its lease
	Slices   int64     // that it works on
}

// Processes returns those that are at work, and those that died and were not buried yet.
func (b *Box) Processes(ctx context.Context) ([]Process, error) {
	type row struct {
		p              Process
		started, until int64
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT id, host, sends, started, until, (SELECT count(*) FROM outbox_slice s WHERE s.process = p.id
		AND s.process <> '') FROM outbox_process p ORDER BY started, id`)
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.p.ID, &r.p.Host, &r.p.Sends, &r.started, &r.until, &r.p.Slices}
	})
	all := make([]Process, len(found))
	for i, r := range found {
		r.p.Started, r.p.Until = moment(r.started), moment(r.until)
		all[i] = r.p
	}
	return all, err
}

// Stats is a snapshot of this process.
type Stats struct {
	// Open is how many recipients of mailings have a durable intent and no durable result: so many would be in doubt if the
	// process died now. It never exceeds Config.Gate.
	Open int
	// MostOpen is the largest it has been.
	MostOpen int
}

// Stats returns a snapshot. It asks nobody, and takes no time.
func (b *Box) Stats() Stats {
	b.writer.mu.Lock()
	defer b.writer.mu.Unlock()
	return Stats{b.writer.open, b.writer.most}
}
