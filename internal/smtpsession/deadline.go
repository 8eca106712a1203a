package smtpsession

import "time"

// checkDeadline ends what took too long, and sets the clock for what is
// outstanding now. Every wait of a session is under exactly one deadline.
func (s *Session) checkDeadline(now time.Time) error {
	t := s.content
	if t.busy && t.dotSent && s.envelope.busy && !s.parted {
		if giveBack := s.envelope.start.Add(s.envelope.mail.Late); now.Before(giveBack) {
			s.arm(giveBack)
			return nil
		}
		s.parted = true
		s.giveBack(ErrLate, now)
	}
	at := s.dueAt(t)
	if now.Before(at) {
		s.arm(at)
		return nil
	}
	if !t.busy {
		s.owner.Retire() // and the next turn closes it
		return nil
	}
	return ErrTimeout
}

// dueAt is the deadline of what the session waits for now.
func (s *Session) dueAt(t *Transaction) time.Time {
	switch {
	case !t.busy:
		idle := s.idleSince.Add(s.idle)
		if s.retireAt.Before(idle) {
			return s.retireAt
		}
		return idle
	case t.dotSent:
		return t.since.Add(s.finalDot)
	}
	return t.since.Add(t.mail.Patience)
}

// KeepUntil has the owner Retire a session that has nothing on it at a time, or once it
// was idle for so long.
func (s *Session) KeepUntil(at time.Time, idle time.Duration) { s.retireAt, s.idle = at, idle }

// arm has somebody act for the session at a time. The timer itself is only touched
// where it would ring too late: a session under load sets it about once a minute.
func (s *Session) arm(at time.Time) {
	due := int64(at.Sub(s.opened))
	s.deadline.Store(due)
	if s.timer == nil {
		s.armed = due
		s.timer = time.AfterFunc(time.Until(at), s.rings)
	} else if due < s.armed || s.rang.Swap(false) {
		s.armed = due
		s.timer.Reset(time.Until(at))
	}
}

// rings is the timer's: it ends a Write that is under way, and acts. Where the
// deadline was put off meanwhile it sets the timer anew, since who is within a
// Write cannot.
func (s *Session) rings() {
	s.rang.Store(true)
	for {
		due := s.deadline.Load()
		wait := time.Duration(due) - time.Since(s.opened)
		if wait <= 0 {
			break
		}
		s.timer.Reset(wait)
		if s.deadline.Load() == due { // else it was set at the same time
			return
		}
	}
	s.out.taken.interrupt(s.timedOut)
	s.tell(s.attend())
}

func (s *Session) timedOut() bool { return int64(time.Since(s.opened)) >= s.deadline.Load() }

func (s *Session) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// beforeChunk sets the deadline of one chunk of a Write: a relay must go on
// taking octets.
func (s *Session) beforeChunk() {
	wait := s.content.mail.Patience
	if s.ending != nil {
		wait = LastWords
	}
	s.arm(time.Now().Add(wait))
}
