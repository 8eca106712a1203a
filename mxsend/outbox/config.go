package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/verp"
)

// A Config configures a Box. Its zero value stores mail in the file outbox.db and sends none; Client and Render are
// what sending needs.
type Config struct {
	// Database is the path of an SQLite file, or the URL of a Postgres database ("postgres://user@host/name"), version
	// 12 or newer. Empty: "outbox.db". SQLite is for processes on one machine, with the file on a disk of its own.
	Database string
	// PollOnly never waits for notifications of Postgres, for proxies that do not pass on LISTEN: a new mail is then found
	// within 100 ms. PgBouncer in transaction mode has other limits as well, and is not tested.
	PollOnly bool
	// Client sends. The caller closes it, after the Box. Nil: this process stores mail and answers questions, but sends
	// nothing.
	Client *mxsend.Client
	// Render makes a mailing's message for one recipient; see Templates for a ready one. It is called by several
	// goroutines at once. An error rejects this recipient, with the error's text as reason, and a panic does, too.
	// Nil: this process sends transactional mail only.
	Render func(ctx context.Context, d Draft) (*mxsend.Message, error)
	// Skip is asked before a recipient of a mailing is rendered. A text that is not empty is the reason why it is passed
	// over, such as a cap on the number of mails a week. Nil: nobody is.
	Skip func(ctx context.Context, m Mailing, r Recipient) string
	// VERP makes return paths and Message-IDs that Record can tell the recipient from. Keep its Prefix or Domain for the
	// outbox's mail alone: the ids in it are the outbox's. Nil: messages bring their own return path, and nothing
	// that comes back can be joined to a recipient.
	VERP *verp.Codec
	// Key hashes addresses, for suppression and for what is left of a forgotten recipient, and signs unsubscribe
	// links; 16 octets or more, the same in every process, for ever. Nil: one that lies in the database itself.
	Key []byte
	// UnsubscribeURL is where the handler of Unsubscribe is served, "https://shop.example.com/unsubscribe/". Empty: drafts have
	// no link.
	UnsubscribeURL string
	// Retry are the waits before the rounds that follow a Deferred one; after the last it stays Deferred. mxsend has rounds
	// of its own, minutes in all, before it says Deferred. Nil: 5 min, 15 min, 1 h, 3 h, 6 h and 12 h.
	Retry []time.Duration
	// InDoubt says what is done with mail that was perhaps handed over by a process which did not live to record the
	// outcome. Zero: mxsend.InDoubtReport, which leaves it in doubt. InDoubtResend sends it again, marked as a
	// possible duplicate.
	InDoubt mxsend.InDoubtPolicy
	// Gate bounds how many recipients of mailings a process has between a durable intent and a durable result: that many
	// at most are in doubt when it dies. Zero: 1000.
	Gate int
	// Workers bounds how many transactional mails a process sends at a time. Zero: 100.
	Workers int
	// Lease is how long a process may work without writing to the database; then it stops by itself, and after twice
	// that time others take over what it had in hand. Zero: 10 s.
	Lease time.Duration
	// StopGrace is how long mail that is under way may take to end when a mailing is paused or the Box is closed. What
	// has not ended then is cut off. Zero: 10 s.
	StopGrace time.Duration
	// Suppression says what stops mail to an address. Its zero value works.
	Suppression SuppressionPolicy
	// Retention says how long personal data is kept. Its zero value works.
	Retention Retention
	// Logger gets what an operator should know, without addresses or content. Nil: nothing is logged.
	Logger *slog.Logger
}

func (cfg *Config) validate() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("outbox: "+format, args...)) }
	if cfg.Gate < 0 {
		bad("Gate is %d: give a positive number, or 0 for 1000", cfg.Gate)
	}
	if cfg.Workers < 0 || cfg.Workers > 1000 {
		bad("Workers is %d: give 1 to 1000, or 0 for 100", cfg.Workers)
	}
	if cfg.Lease < 0 || cfg.Lease > 0 && cfg.Lease < 100*time.Millisecond {
		bad("Lease is %v: give at least 100ms, or 0 for 10s", cfg.Lease)
	}
	if cfg.StopGrace < 0 {
		bad("StopGrace is %v", cfg.StopGrace)
	}
	for _, wait := range cfg.Retry {
		if wait <= 0 {
			bad("Retry holds %v: every wait is positive", wait)
		}
	}
	if cfg.Key != nil && len(cfg.Key) < 16 {
		bad("Key has %d octets: give at least 16 random ones, or nil for one in the database", len(cfg.Key))
	}
	if cfg.UnsubscribeURL != "" {
		// RFC 8058 §3.1: the URI is an HTTPS one.
		if u, err := url.Parse(cfg.UnsubscribeURL); err != nil || u.Host == "" || u.Scheme != "https" {
			bad("UnsubscribeURL is %q: give an https URL", cfg.UnsubscribeURL)
		}
	}
	wrong = append(wrong, cfg.Suppression.validate(), cfg.Retention.validate())
	return errors.Join(wrong...)
}

func (cfg Config) withDefaults() Config {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	if cfg.Database == "" {
		cfg.Database = "outbox.db"
	}
	if cfg.Gate == 0 {
		cfg.Gate = 1000
	}
	if cfg.Workers == 0 {
		cfg.Workers = 100
	}
	if cfg.Retry == nil {
		cfg.Retry = []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour}
	}
	def(&cfg.Lease, 10*time.Second)
	def(&cfg.StopGrace, 10*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Suppression = cfg.Suppression.withDefaults()
	cfg.Retention = cfg.Retention.withDefaults()
	return cfg
}
