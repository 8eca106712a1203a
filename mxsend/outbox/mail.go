package outbox

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/verp"
)

// A mailStart asks the writer for a mail's intent: begun is whether it is this process's to send.
type mailStart struct {
	life     *life
	id       int64
	begun    bool
	answered chan bool // holds one
}

// A mailEnd is a mail's outcome.
type mailEnd struct {
	life    *life
	id      int64
	had     storedOutcome
	result  result
	durable chan struct{}
}

// A storedOutcome is what the ledger has of a mail.
type storedOutcome struct {
	outcome   Outcome
	relay     string
	tries     int64
	duplicate bool
}

// mail sends one transactional mail. Begun is whether it need not be given to anybody else: it was sent, or it is not to be.
func (l *life) mail(ctx context.Context, id int64) (begun bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()

	message, had, notAfter, err := l.b.readMail(ctx, id)
	if err != nil || message == nil {
		return err == nil
	}
	start := &mailStart{life: l, id: id, answered: make(chan bool, 1)}
	if !l.holds() {
		return false
	}
	l.b.writer.start(start)
	select {
	case begun = <-start.answered:
	case <-l.b.ctx.Done():
		return false
	}
	if !begun {
		return l.holds() // somebody else has it, or it is not due; else nobody has
	}
	var r result
	switch {
	case notAfter != 0 && notAfter < nowMillis():
		r = result{outcome: NotAttempted, at: nowMillis(), tries: had.tries, duplicate: had.duplicate, note: "it was of no use any more (NotAfter)"}
	case !l.holds():
		r = result{outcome: NotAttempted, at: nowMillis(), tries: had.tries, duplicate: had.duplicate, due: nowMillis(), note: "the process's lease had ended"}
	default:
		receipt, _ := l.b.cfg.Client.Send(ctx, message) // its error says no more than the receipt
		r = judge(receipt.Recipients[0], time.Now(), had.tries, had.duplicate, l.b.retryAfter(ctx))
	}
	end := &mailEnd{life: l, id: id, had: had, result: r, durable: make(chan struct{})}
	l.b.writer.end(end)
	select {
	case <-end.durable:
	case <-l.b.ctx.Done():
	}
	return true
}

func (w *writer) start(s *mailStart) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch.starts = append(w.batch.starts, s)
	w.poke()
}

func (w *writer) end(e *mailEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch.ends = append(w.batch.ends, e)
	w.poke()
}

// readMail returns a mail as it is to be sent; no message where it is finished or gone.
func (b *Box) readMail(ctx context.Context, id int64) (message *mxsend.Message, had storedOutcome, notAfter int64, err error) {
	var address, returnPath, text string
	var content []byte
	err = b.store.read.QueryRowContext(ctx, `SELECT address, return_path, options, content, not_after, outcome, relay, tries, duplicate
		FROM outbox_mail WHERE id = $1 AND due <> 0`, id).
		Scan(&address, &returnPath, &text, &content, &notAfter, &had.outcome, &had.relay, &had.tries, &had.duplicate)
	if err != nil {
		return nil, had, 0, noRowsIs(err, nil)
	}
	var o options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, had, 0, err
	}
	if returnPath == "" {
		if returnPath, err = b.cfg.VERP.Encode(ledgerID(0, id)); err != nil {
			return nil, had, 0, err
		}
	}
	return &mxsend.Message{
		ReturnPath: returnPath, Recipients: []string{address}, Content: content, Lane: mxsend.Transactional,
		Ref: mailRef(0, id), RequireTLS: o.RequireTLS, DSN: o.DSN,
	}, had, notAfter, nil
}

// ledgerID is the id in return paths: the mailing, 0 for transactional mail, and the number in it.
func ledgerID(mailing, n int64) []byte { return verp.FromUint64(uint64(mailing)<<32 | uint64(n)) }

// writeMails writes intents and outcomes of transactional mail.
func (t *tx) writeMails(ctx context.Context, b *Box, l *life, all *batch, sums tally) error {
	for _, s := range all.starts {
		if s.life != l { // which is over, and has perhaps had the intent without hearing of it: it was not used
			if _, err := t.exec(ctx, "UPDATE outbox_mail SET process = '' WHERE id = $1 AND process = $2", s.id, s.life.id); err != nil {
				return err
			}
			continue
		}
		// A little early is in time: River's clock and this one may differ.
		n, err := t.exec(ctx, "UPDATE outbox_mail SET process = $1 WHERE id = $2 AND process = '' AND due <> 0 AND due <= $3",
			l.id, s.id, nowMillis()+1000)
		if err != nil {
			return err
		}
		s.begun = n > 0
	}
	for _, e := range all.ends {
		if err := t.endMail(ctx, b, e, sums); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) endMail(ctx context.Context, b *Box, e *mailEnd, sums tally) error {
	r := e.result
	// Content goes with the mail's end. What is in doubt keeps it, since somebody may decide to send it again.
	keep := number(r.due != 0 || r.outcome == InDoubt || b.cfg.Retention.KeepContent)
	set := `UPDATE outbox_mail SET process = '', outcome = $1, relay = $2, queue_id = $3, at = $4, tries = $5, due = $6,
		duplicate = CASE WHEN duplicate > $7 THEN duplicate ELSE $7 END, note = $8, content = CASE WHEN $9 = 1 THEN content END WHERE id = $10 `
	args := []any{int64(r.outcome), r.relay, r.queueID, r.at, r.tries, r.due, number(r.duplicate), r.note, keep, e.id}
	n, err := t.exec(ctx, set+"AND process = $11", append(args, e.life.id)...)
	if err != nil {
		return err
	}
	if n > 0 {
		sums.move(0, e.had.relay, e.had.outcome, r.relay, r.outcome)
		if r.due == 0 {
			return nil
		}
		return b.insert.mails(ctx, t.Tx, moment(r.due), e.id)
	}
	// Somebody has taken this process for dead. What it knows is still news about a mail in doubt.
	if r.outcome != Accepted && r.outcome != Rejected {
		return nil
	}
	n, err = t.exec(ctx, set+"AND process = '' AND outcome = 4", args...)
	if n > 0 {
		sums.move(0, "", InDoubt, r.relay, r.outcome)
	}
	return err
}
