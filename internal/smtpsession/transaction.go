package smtpsession

import (
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A Mail is what a transaction submits, but for its recipients.
type Mail struct {
	ReturnPath smtpwire.Mailbox
	// Params and Rcpt are the parameters of MAIL and RCPT; SIZE and those of DSN are
	// left out where the relay does not offer them.
	Params smtpwire.MailParams
	Rcpt   smtpwire.RcptParams
	ORcpt  bool // name each recipient in ORCPT, too

	// Header and Content are sent one behind the other, with CRLF line ends. Dots says
	// that a line of them begins with a dot.
	Header, Content []byte
	Dots            bool

	Patience time.Duration // for a reply before the final dot
	// Late is after how long without a reply to the message before it the mail is given
	// back out of the envelope slot.
	Late time.Duration
}

// A Transaction is one mail on a session: MAIL, its RCPTs, DATA, content. The lock of
// its session guards it. Lock-step and pipelining are the same code with another
// number of commands that may be unanswered.
type Transaction struct {
	mail   Mail
	busy   bool
	wanted bool      // somebody waits for its end
	start  time.Time // when it began
	since  time.Time // when the oldest outstanding reply became the oldest
	rcpts  []Recipient

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
	refused  bool  // MAIL or DATA was, or the content
	reply    Reply // that refusal, or the acceptance
}

// A Recipient is one of a transaction.
type Recipient struct {
	ID      int // the owner's
	mailbox smtpwire.Mailbox
	Reply   Reply // where it is not positive
}

// A Stage is where in a transaction something happened.
type Stage uint8

const (
	StageMail Stage = iota
	StageRecipient
	StageData
	StageContent
	StageFinalDot
)

// String returns the stage as it is named in errors.
func (s Stage) String() string {
	return [...]string{"MAIL", "RCPT", "DATA", "content", "final dot"}[s]
}

// A Reply is a relay's reply that is kept: its text is at most MaxReplyText octets.
type Reply struct {
	Code     int // zero: none came
	Enhanced smtpwire.EnhancedCode
	Text     string
}

// MaxReplyText is how many octets of a reply's text are kept.
const MaxReplyText = 512

// Keep returns a reply that does not lie in its reader's memory.
func Keep(r smtpwire.Reply) Reply {
	return Reply{Code: r.Code, Enhanced: r.Enhanced, Text: string(r.Text[:min(len(r.Text), MaxReplyText)])}
}

// begin takes on a mail; AddRecipient follows.
func (t *Transaction) begin(m Mail, now time.Time, reset bool) {
	*t = Transaction{mail: m, busy: true, wanted: true, start: now, since: now, rcpts: t.rcpts[:0], reset: reset}
}

// AddRecipient adds a recipient to a transaction that was just begun.
func (t *Transaction) AddRecipient(mailbox smtpwire.Mailbox, id int) {
	t.rcpts = append(t.rcpts, Recipient{ID: id, mailbox: mailbox})
}

// AskSMTPUTF8 has MAIL ask for the extension: a recipient's address needs it.
func (t *Transaction) AskSMTPUTF8() { t.mail.Params.SMTPUTF8 = true }

// free ends the transaction, and keeps nothing of its mail.
func (t *Transaction) free() {
	clear(t.rcpts)
	*t = Transaction{rcpts: t.rcpts[:0]}
}

// disown keeps the slot, and nothing of the mail: nobody waits for its end any more.
func (t *Transaction) disown() {
	t.wanted, t.mail = false, Mail{Patience: t.mail.Patience, Late: t.mail.Late}
}

// Busy says whether there is a mail in the slot, or what is left of one that nobody
// waits for any more; Wanted, that somebody does.
func (t *Transaction) Busy() bool   { return t.busy }
func (t *Transaction) Wanted() bool { return t.busy && t.wanted }

// Begun says whether anything of it was written.
func (t *Transaction) Begun() bool { return t.busy && t.sent > 0 }

// Unanswered says that the relay may never have seen it: it answered no command of
// it, and content was not written.
func (t *Transaction) Unanswered() bool { return t.replied == 0 && !t.dotSent }

// Start is when it began.
func (t *Transaction) Start() time.Time { return t.start }

// Recipients are its recipients, in the order of their RCPTs.
func (t *Transaction) Recipients() []Recipient { return t.rcpts }

// SentDot says that nothing is left to be sent: content and final dot were written, or
// the dot alone that ends a transaction without recipients.
func (t *Transaction) SentDot() bool { return t.dotSent }

// TookRecipients says whether the relay accepted any at RCPT.
func (t *Transaction) TookRecipients() bool { return t.accepted > 0 }

// RefusedRecipient says whether RCPT was answered, and not with 2yz. Without MAIL, a
// reply to RCPT says nothing.
func (t *Transaction) RefusedRecipient(to *Recipient) bool { return t.mailed && to.Reply.Code != 0 }

// Refused says whether it was as a whole: MAIL, DATA or the content, as Stage says.
func (t *Transaction) Refused() bool { return t.refused }

// Accepted says whether the content was.
func (t *Transaction) Accepted() bool { return t.stage == StageFinalDot && !t.refused }

// Stage is where Reply came: the refusal of it as a whole, or its acceptance. The Reply
// is zero where every recipient was refused, or it is not yet answered to its end.
func (t *Transaction) Stage() Stage { return t.stage }
func (t *Transaction) Reply() Reply { return t.reply }

// Reached is the stage it is at.
func (t *Transaction) Reached() Stage {
	switch {
	case t.dotSent && !t.loneDot:
		return StageFinalDot
	case t.granted:
		return StageContent
	}
	return t.stageOf(t.replied - t.lead())
}

// size is of header and content, in octets.
func (t *Transaction) size() int { return len(t.mail.Header) + len(t.mail.Content) }

// commands is how many there are: RSET if need be, MAIL, RCPTs, DATA.
func (t *Transaction) commands() int { return t.lead() + 1 + len(t.rcpts) + 1 }

func (t *Transaction) lead() int {
	if t.reset {
		return 1
	}
	return 0
}

// awaits is how many replies are outstanding.
func (t *Transaction) awaits() int {
	n := t.sent - t.replied
	if t.dotSent && !t.over {
		n++
	}
	return n
}

// isOverEarly says that, in lock-step, nothing more is to be sent: MAIL was
// refused, or every RCPT.
func (t *Transaction) isOverEarly() bool {
	if t.replied != t.sent {
		return false
	}
	if t.refused && t.stage == StageMail {
		return true
	}
	return t.sent == t.commands()-1 && t.accepted == 0
}

// appendCommand appends the next command.
func (t *Transaction) appendCommand(b []byte, x *smtpwire.Extensions) []byte {
	i := t.sent - t.lead()
	t.sent++
	switch {
	case i < 0:
		return append(b, "RSET\r\n"...)
	case i == 0:
		p := t.mail.Params
		if !x.SizeOffered {
			p.Size = 0
		}
		if !x.DSN {
			p.Ret, p.EnvID = "", ""
		}
		return smtpwire.AppendMail(b, t.mail.ReturnPath, p)
	case i <= len(t.rcpts):
		mailbox := t.rcpts[i-1].mailbox
		var p smtpwire.RcptParams
		if x.DSN {
			p = t.mail.Rcpt
			if t.mail.ORcpt && !mailbox.NonASCII() {
				p.ORcpt = mailbox.String()
			}
		}
		return smtpwire.AppendRcpt(b, mailbox, p)
	}
	return append(b, "DATA\r\n"...)
}

// refuse takes down the refusal of the whole transaction.
func (t *Transaction) refuse(r smtpwire.Reply) { t.refused, t.reply = true, Keep(r) }

// handleReply takes in a reply to the oldest command (or the dot) that has none. It
// returns an error for one that breaks the protocol.
func (t *Transaction) handleReply(r smtpwire.Reply, now time.Time) error {
	t.since = now
	if t.replied == t.sent {
		return t.handleFinal(r)
	}
	i := t.replied - t.lead()
	t.replied++
	class := r.Code / 100
	if class == 3 && i != len(t.rcpts)+1 {
		return unexpected(t.stageOf(i), r)
	}
	switch {
	case i < 0:
		if class != 2 {
			return unexpected(StageMail, r)
		}
	case i == 0:
		t.mailed = class == 2
		if !t.mailed {
			t.refuse(r)
		}
	case i <= len(t.rcpts):
		if class == 2 {
			t.accepted++
		} else {
			t.rcpts[i-1].Reply = Keep(r)
		}
	default:
		return t.handleData(r)
	}
	if t.isOverEarly() {
		t.over = true
	}
	return nil
}

// handleFinal takes in the reply to the final dot.
func (t *Transaction) handleFinal(r smtpwire.Reply) error {
	t.over = true
	if t.loneDot {
		return nil
	}
	t.stage = StageFinalDot
	if r.Positive() {
		t.reply = Keep(r)
		return nil
	}
	t.refuse(r)
	if r.Code/100 == 3 {
		return unexpected(StageFinalDot, r)
	}
	return nil
}

func (t *Transaction) handleData(r smtpwire.Reply) error {
	inVain := t.refused || t.accepted == 0
	switch {
	case r.Code == 354 && inVain:
		t.loneDot = true
	case r.Code == 354:
		t.granted, t.stage = true, StageContent
	case r.Code/100 == 2 || r.Code/100 == 3:
		return unexpected(StageData, r)
	case inVain:
		t.over = true
	default:
		t.over, t.stage = true, StageData
		t.refuse(r)
	}
	return nil
}

func (t *Transaction) stageOf(i int) Stage {
	switch {
	case i <= 0:
		return StageMail
	case i <= len(t.rcpts):
		return StageRecipient
	}
	return StageData
}

// committed says whether the last octet of the terminator was handed over.
func (t *Transaction) committed(handed int64) bool {
	return t.dotSent && !t.loneDot && handed >= t.dotEnd
}

// openAtRelay says whether the relay has a transaction open that only RSET ends.
func (t *Transaction) openAtRelay() bool { return t.mailed && !t.dotSent }
