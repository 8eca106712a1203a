package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// A Mailing is one mail to many recipients. Its Name is its identity: a mailing that is started again under the same name, with the
// same values, goes on where it was.
type Mailing struct {
	// Name is unique and never used again: "newsletter-2026-11".
	Name string `json:"name"`
	// List is what recipients unsubscribe from, and what complaints count against. Empty: "default".
	List string `json:"list,omitempty"`
	// Template and Params are for Config.Render: they say what is rendered, and are stored with the mailing.
	Template string            `json:"template,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
	// Rate is in recipients a second, of all processes together. SetRate changes it while it runs. Zero: unlimited.
	Rate float64 `json:"rate,omitempty"`
	// StartAt is when it begins. Zero: at once.
	StartAt time.Time `json:"startAt,omitzero"`
	// NotAfter is when it ends, whoever has had no mail by then. Zero: when everybody has.
	NotAfter time.Time `json:"notAfter,omitzero"`
	// Canary is how many recipients, chosen at random, are sent to first. The mailing then waits for CanaryFor, or where
	// that is zero for Resume. Zero: there is none.
	Canary    int           `json:"canary,omitempty"`
	CanaryFor time.Duration `json:"canaryFor,omitempty"`
	// AutoPause says when it pauses by itself.
	AutoPause AutoPause `json:"autoPause,omitzero"`
	// SkipBroken loads the good recipients of a list with broken entries. False: nobody is mailed if one is broken.
	SkipBroken bool `json:"skipBroken,omitempty"`
}

// An AutoPause pauses a mailing on an abnormal share of recipients that were rejected or whose mail bounced for good, whether
// for their addresses or for policy. Relays that cannot be reached, deferrals and doubt do not count.
type AutoPause struct {
	// Share of those that have an outcome. Zero: 0.1; above 1: never.
	Share float64 `json:"share,omitempty"`
	// Least is how many must have an outcome before the share counts. Zero: 500.
	Least int `json:"least,omitempty"`
}

func (m Mailing) list() string {
	if m.List == "" {
		return "default"
	}
	return m.List
}

// A Recipient is whom a mailing goes to. Data is for the template: {"name": "Jane"}.
type Recipient struct {
	Address string
	Data    map[string]string
}

// A State is where a mailing is.
type State string

const (
	Loading   State = "loading"   // recipients are being stored; nothing is sent
	Waiting   State = "waiting"   // goes on by itself at a time, or by Resume
	Running   State = "running"   // is being sent
	Paused    State = "paused"    // goes on by Resume
	Cancelled State = "cancelled" // ended early
	Done      State = "done"      // everybody has a final outcome
)

// A mailing is one as it is stored.
type mailing struct {
	id         int64
	spec       Mailing
	state      State
	rate       float64
	recipients int64
	order      shuffle
}

const mailingColumns = "id, spec, state, rate, recipients"

type scanner interface{ Scan(into ...any) error }

func scanMailing(row scanner) (*mailing, error) {
	var m mailing
	var spec string
	if err := row.Scan(&m.id, &spec, &m.state, &m.rate, &m.recipients); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(spec), &m.spec); err != nil {
		return nil, fmt.Errorf("outbox: mailing %d: %w", m.id, err)
	}
	m.order = newShuffle(m.recipients, m.id)
	return &m, nil
}

func (b *Box) mailing(ctx context.Context, id int64) (*mailing, error) {
	m, err := scanMailing(b.store.read.QueryRowContext(ctx, "SELECT "+mailingColumns+" FROM outbox_mailing WHERE id = $1", id))
	return m, noRowsIs(err, ErrUnknown)
}

func (b *Box) mailingNamed(ctx context.Context, name string) (*mailing, error) {
	m, err := scanMailing(b.store.read.QueryRowContext(ctx, "SELECT "+mailingColumns+" FROM outbox_mailing WHERE name = $1", name))
	return m, noRowsIs(err, fmt.Errorf("%w: there is no mailing %q", ErrUnknown, name))
}
