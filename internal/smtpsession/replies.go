package smtpsession

import (
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// handleReplies takes in a reply, or the connection's end, and every other reply
// that came with it; then it goes on with what follows from them. offered is how many
// octets the connection was offered when the reply was read. It returns false
// after the connection's end.
func (s *Session) handleReplies(r smtpwire.Reply, offered int64, err error) bool {
	now, answered := time.Now(), s.answered
	for err == nil {
		if s.ending != ErrLeft {
			err = s.handleReply(r, offered, now)
		}
		if err == nil && !s.replies.HasReply() {
			s.partial = s.replies.Buffered() > 0
			if s.answered != answered || !s.expects(now) {
				s.act(true, now)
			}
			return true
		}
		if err == nil {
			r, err = s.replies.Next()
			continue
		}
		s.end(err, now)
		return false
	}
	if s.ending != nil {
		err = s.ending // reading failed for that reason
	}
	s.end(err, now)
	return false
}

// expects says that nothing can follow yet: more replies are due to commands that
// went out together, and the owner was asked a moment ago.
func (s *Session) expects(now time.Time) bool {
	const moment = time.Second
	t := s.content
	return t.busy && t.sent == t.commands() && !t.granted && !t.loneDot && !t.over && now.Sub(s.turned) < moment
}

// handleReply takes in one reply: it belongs to the oldest command without one.
func (s *Session) handleReply(r smtpwire.Reply, offered int64, now time.Time) error {
	t := s.content
	early := t.busy && t.granted && !t.over && !s.mayHaveEnd(t, offered)
	if t.awaits() == 0 && !early {
		t = s.envelope
	}
	switch {
	case r.Code == 421:
		return &ClosingError{Keep(r)}
	case early:
		return s.handleEarly(t, r, now)
	case t.awaits() == 0:
		return fmt.Errorf("%w: a reply to nothing", smtpwire.ErrProtocol)
	}
	if err := t.handleReply(r, now); err != nil {
		return err
	}
	if t == s.content && t.over {
		return s.conclude(now)
	}
	return nil
}

// mayHaveEnd says whether the relay may have had the final dot when its reply was
// read: the connection was offered all of it by then, and took all of it. It may
// have been offered the last octets, and have failed before it took them.
func (s *Session) mayHaveEnd(t *Transaction, offered int64) bool {
	return t.dotSent && offered >= t.dotEnd && s.out.taken.octets >= t.dotEnd
}

// handleEarly: the relay answers before it can have the final dot. A refusal counts,
// and the rest of the content is not worth sending; anything else is no SMTP.
func (s *Session) handleEarly(t *Transaction, r smtpwire.Reply, now time.Time) error {
	if class := r.Code / 100; class != 4 && class != 5 {
		return unexpected(StageContent, r)
	}
	t.refuse(r)
	t.over = true
	return s.conclude(now)
}

// conclude hands the transaction of the content slot, which was answered to its end,
// to the owner, and moves the other one up.
func (s *Session) conclude(now time.Time) error {
	t := s.content
	s.answered++
	s.needReset = t.openAtRelay()
	if err := s.owner.Answered(t, now); err != nil {
		return err
	}
	early, loneDot := t.stage == StageContent, t.loneDot
	t.free()
	s.idleSince = now
	s.content, s.envelope = s.envelope, s.content
	switch {
	case early:
		return errRefusedEarly
	case loneDot:
		return errLoneDot
	case s.parted:
		return errParted
	}
	return nil
}

// A ClosingError is a 421: the relay closes the connection.
type ClosingError struct {
	Reply Reply
}

func (e *ClosingError) Error() string {
	return fmt.Sprintf("the relay closes the connection: %d", e.Reply.Code)
}

func unexpected(s Stage, r smtpwire.Reply) error {
	return fmt.Errorf("%w: reply %d at %v", smtpwire.ErrProtocol, r.Code, s)
}
