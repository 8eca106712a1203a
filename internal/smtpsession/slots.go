package smtpsession

import "time"

// The two slots of a session, as its owner fills and empties them. A mail is put into
// the envelope slot only once the one before it has its 354, so no transaction stands
// open and idles.

// Content is the transaction in the content slot; Envelope, the one behind it.
func (s *Session) Content() *Transaction  { return s.content }
func (s *Session) Envelope() *Transaction { return s.envelope }

// maxBeforeEnvelope is how large a message may be that an envelope is sent behind:
// the envelope of the next one shall not wait for much content.
const maxBeforeEnvelope = WriteChunk

// TakesEnvelope says whether the envelope slot may be filled now.
func (s *Session) TakesEnvelope() bool {
	t := s.content
	return t.Wanted() && t.granted && !t.over && !s.envelope.busy && !s.parted && !s.lockStep &&
		t.size() <= maxBeforeEnvelope
}

// Begin begins a transaction with m in the content slot or, where that is taken, in the
// envelope slot. Its recipients are to be added.
func (s *Session) Begin(m Mail, now time.Time) *Transaction {
	if s.content.busy {
		s.envelope.begin(m, now, false)
		return s.envelope
	}
	s.content.begin(m, now, s.needReset)
	s.needReset = false
	return s.content
}

// Withdraw empties the content slot, of which nothing was written.
func (s *Session) Withdraw(now time.Time) {
	s.content.free()
	s.idleSince = now
}

// Disown has nobody wait for the reply to the final dot of the content slot's mail. The
// session still does.
func (s *Session) Disown() { s.content.disown() }

// DropEnvelope empties the envelope slot. Where an envelope was written the connection
// ends after the message before it.
func (s *Session) DropEnvelope() {
	if s.envelope.Begun() {
		s.envelope.disown()
		s.parted = true
	} else {
		s.envelope.free()
	}
}

// giveBack takes the mail out of the envelope slot, since it would wait there for
// nothing, or too long.
func (s *Session) giveBack(why error, now time.Time) {
	s.owner.GaveBack(s.envelope, why, now)
	s.envelope.disown()
}

// Committed says whether the content slot's final dot was handed over to its last
// octet: the relay may have accepted the mail from then on.
func (s *Session) Committed() bool { return s.content.committed(s.out.taken.octets) }

// Used says whether a transaction was answered to its end before the one under way.
func (s *Session) Used() bool { return s.answered > 0 }

// LockStep says whether one command is sent at a time; UseLockStep has it so.
func (s *Session) LockStep() bool { return s.lockStep }
func (s *Session) UseLockStep()   { s.lockStep = true }

// SetCancelled says whether the mail in the content slot is cancelled: a Write of it
// that is about to begin then fails. It may be called from anywhere.
func (s *Session) SetCancelled(cancelled bool) { s.cancelled.Store(cancelled) }

// Interrupt ends a Write of a mail that is cancelled. It may be called from anywhere.
func (s *Session) Interrupt() { s.out.taken.interrupt(s.cancelled.Load) }
