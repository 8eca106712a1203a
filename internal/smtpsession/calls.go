package smtpsession

import "time"

// Calls that follow from what a session did, and that may take long or call back, are
// made when its mu is released: in their order, on the goroutine that caused them or,
// where one is at it already, on that one. A call may wait for a message that is on
// this very session, so somebody else reads when its reader does not come back from
// it soon.

// After has calls made once the session's lock is released.
func (s *Session) After(calls []func()) { s.calls = append(s.calls, calls...) }

// unlock releases mu, and then closes the connection if that was decided. The
// caller makes the calls that it returns, by tell.
func (s *Session) unlock() (calls []func()) {
	closing := s.closing
	s.closing = false
	if !s.telling {
		calls, s.calls = s.calls, nil
		s.telling = len(calls) > 0
	}
	s.mu.Unlock()
	if closing {
		_ = s.raw.Close()
	}
	return calls
}

// tell makes the calls, and those that come meanwhile.
func (s *Session) tell(calls []func()) {
	made := 0
	defer func() {
		if made < len(calls) { // a call ended the goroutine, by runtime.Goexit
			s.mu.Lock()
			s.calls, s.telling = append(calls[made+1:], s.calls...), false
			s.mu.Unlock()
		}
	}()
	for len(calls) > 0 {
		for made = range calls {
			s.owner.Call(calls[made])
		}
		s.mu.Lock()
		calls, s.calls, made = s.calls, nil, 0
		s.telling = len(calls) > 0
		s.mu.Unlock()
	}
}

// absent is how long the reader may be away, making calls, before another
// goroutine takes over. It is longer than a call should take.
const absent = 10 * time.Millisecond

// tellBetween makes calls between two replies. It says whether the caller is
// still the reader afterwards; if not, the owner does not wait for it either.
func (s *Session) tellBetween(calls []func()) (reading bool) {
	s.absences++
	n := s.absences
	s.absence.Store(n)
	if s.replacement == nil {
		s.replacement = time.AfterFunc(absent, s.takeOver)
	} else {
		s.replacement.Reset(absent)
	}
	s.tell(calls)
	if !s.absence.CompareAndSwap(n, 0) {
		return false
	}
	s.replacement.Stop()
	return true
}

// takeOver is the reader from now on, if the one there is away.
func (s *Session) takeOver() {
	if n := s.absence.Load(); n != 0 && s.absence.CompareAndSwap(n, 0) {
		s.read(nil)
	}
}
