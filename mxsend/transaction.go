package mxsend

import (
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A transaction is one entry on one connection: MAIL, its RCPTs, DATA, content.
// Its connection's mu guards it. Lock-step and pipelining are the same
// code with another window.
type transaction struct {
	entry *entry // nil: the slot is free, or the entry got its outcome and left
	busy  bool
	lane  Lane
	start time.Time
	since time.Time // when the oldest outstanding reply became the oldest
	rcpts []txRcpt
	need  need // extensions that it asks for

	reset   bool // RSET comes first: the transaction before ended half-way
	sent    int  // commands written: RSET, MAIL, RCPT…, DATA
	replied int  // commands answered
	mailed  bool // MAIL was accepted
	granted bool // 354: content may be written
	dotSent bool // content and final dot were written, at least to the buffer
	dotEnd  int64
	loneDot bool // the dot ends a transaction without recipients
	over    bool

	accepted int // RCPTs
	stage    Stage
	refusal  replyCode // of MAIL or DATA, or of the final dot
	reply    Reply     // the refusal with its text, or the acceptance
}

// A txRcpt is a recipient in a transaction.
type txRcpt struct {
	index int // in entry.rcpts
	code  replyCode
	reply Reply // where it is not positive
}

// refused says whether RCPT was answered, and not with 2yz. Without MAIL, a reply to
// RCPT says nothing.
func (to *txRcpt) refused(t *transaction) bool {
	return t.mailed && to.code.code != 0 && to.code.code/100 != 2
}

// begin takes on an entry with those of its recipients that may be tried now and that
// the relay, for all that it lacks, can take.
func (t *transaction) begin(e *entry, now time.Time, reset bool, lacks need) {
	*t = transaction{entry: e, busy: true, lane: e.lane, start: now, since: now, rcpts: t.rcpts[:0], need: e.need(), reset: reset, stage: StageMail}
	able := t.need&needSMTPUTF8 != 0 || lacks&needSMTPUTF8 == 0
	for i := range e.rcpts {
		if to := &e.rcpts[i]; to.ready() && (able || !to.mailbox.NonASCII()) {
			t.rcpts = append(t.rcpts, txRcpt{index: i})
			if to.mailbox.NonASCII() {
				t.need |= needSMTPUTF8
			}
		}
	}
}

// commands is how many there are: RSET if need be, MAIL, RCPTs, DATA.
func (t *transaction) commands() int { return t.lead() + 1 + len(t.rcpts) + 1 }

func (t *transaction) lead() int {
	if t.reset {
		return 1
	}
	return 0
}

// awaits is how many replies are outstanding.
func (t *transaction) awaits() int {
	n := t.sent - t.replied
	if t.dotSent && !t.over {
		n++
	}
	return n
}

// settledEarly says that, in lock-step, nothing more is to be sent: MAIL was
// refused, or every RCPT.
func (t *transaction) settledEarly() bool {
	if t.replied != t.sent {
		return false
	}
	if t.refusal.code != 0 && t.stage == StageMail {
		return true
	}
	return t.sent == t.commands()-1 && t.accepted == 0
}

// next appends the next command.
func (t *transaction) next(b []byte, x *smtpwire.Extensions) []byte {
	i := t.sent - t.lead()
	t.sent++
	e := t.entry
	dsn := &e.msg.DSN
	switch {
	case i < 0:
		return append(b, "RSET\r\n"...)
	case i == 0:
		p := smtpwire.MailParams{
			EightBit:   t.need&needEightBitMIME != 0,
			SMTPUTF8:   t.need&needSMTPUTF8 != 0,
			RequireTLS: t.need&needRequireTLS != 0,
		}
		if x.SizeOffered {
			p.Size = e.size
		}
		if x.DSN {
			p.Ret, p.EnvID = dsn.Return, dsn.EnvelopeID
			if p.Ret == "" {
				p.Ret = "HDRS"
			}
		}
		return smtpwire.AppendMail(b, e.returnPath, p)
	case i <= len(t.rcpts):
		mailbox := e.rcpts[t.rcpts[i-1].index].mailbox
		var p smtpwire.RcptParams
		if x.DSN {
			p.Notify = dsn.Notify
			if dsn.OriginalRecipient && !mailbox.NonASCII() {
				p.ORcpt = mailbox.String()
			}
		}
		return smtpwire.AppendRcpt(b, mailbox, p)
	}
	return append(b, "DATA\r\n"...)
}

// A replyCode is what a reply says to a program.
type replyCode struct {
	code     int
	enhanced smtpwire.EnhancedCode
}

func codeOf(r smtpwire.Reply) replyCode { return replyCode{r.Code, r.Enhanced} }

// refused takes down the refusal of the whole transaction.
func (t *transaction) refused(r smtpwire.Reply) {
	t.refusal, t.reply = codeOf(r), newReply(r.Code, r.Enhanced, r.Text)
}

// answered takes in a reply to the oldest command (or the dot) that has none. It
// returns an error for one that breaks the protocol.
func (t *transaction) answered(r smtpwire.Reply, now time.Time) error {
	t.since = now
	if t.replied == t.sent {
		t.over = true
		if t.loneDot {
			return nil
		}
		t.stage = StageFinalDot
		switch r.Code / 100 {
		case 2:
			t.reply = newReply(r.Code, r.Enhanced, r.Text)
		case 3:
			t.refused(r)
			return errUnexpected(StageFinalDot, r)
		default:
			t.refused(r)
		}
		return nil
	}
	i := t.replied - t.lead()
	t.replied++
	class := r.Code / 100
	if class == 3 && i != len(t.rcpts)+1 {
		return errUnexpected(t.stageOf(i), r)
	}
	switch {
	case i < 0:
		if class != 2 {
			return errUnexpected(StageMail, r)
		}
	case i == 0:
		t.mailed = class == 2
		if !t.mailed {
			t.refused(r)
		}
	case i <= len(t.rcpts):
		t.answeredRcpt(&t.rcpts[i-1], r)
	default:
		return t.answeredData(r)
	}
	if t.settledEarly() {
		t.over = true
	}
	return nil
}

func (t *transaction) answeredRcpt(to *txRcpt, r smtpwire.Reply) {
	to.code = codeOf(r)
	if r.Code/100 == 2 {
		t.accepted++
		return
	}
	to.reply = newReply(r.Code, r.Enhanced, r.Text)
}

func (t *transaction) answeredData(r smtpwire.Reply) error {
	refused := t.refusal.code != 0 || t.accepted == 0
	switch {
	case r.Code == 354 && refused:
		t.loneDot = true
	case r.Code == 354:
		t.granted, t.stage = true, StageContent
	case r.Code/100 == 2 || r.Code/100 == 3:
		return errUnexpected(StageData, r)
	case refused:
		t.over = true
	default:
		t.over, t.stage = true, StageData
		t.refused(r)
	}
	return nil
}

func (t *transaction) stageOf(i int) Stage {
	switch {
	case i <= 0:
		return StageMail
	case i <= len(t.rcpts):
		return StageRecipient
	}
	return StageData
}

// reached is the stage it is at, for a report.
func (t *transaction) reached() Stage {
	switch {
	case t.dotSent && !t.loneDot:
		return StageFinalDot
	case t.granted:
		return StageContent
	}
	return t.stageOf(t.replied - t.lead())
}

// committed says whether the last octet of the terminator was handed over.
func (t *transaction) committed(handed int64) bool {
	return t.dotSent && !t.loneDot && handed >= t.dotEnd
}

// openAtRelay says whether the relay has a transaction open that only RSET ends.
func (t *transaction) openAtRelay() bool { return t.mailed && !t.dotSent }
