package smtpsession

import "time"

// maxUnanswered is how many commands may be unanswered under PIPELINING. The replies to
// so many fit into the sockets' buffers, so the relay can write them while nobody
// here reads, and goes on reading: neither end ever waits for the other (RFC 2920
// §3.1 leaves that care to the client).
const maxUnanswered = 100

// write writes whatever may be written now: commands up to maxUnanswered, content
// that was granted with the next envelope behind it. reading says that the reader
// is asking, which must not be kept from reading for long.
func (s *Session) write(reading bool, now time.Time) error {
	if t := s.content; t.busy {
		if err := s.writeCommands(t); err != nil {
			return err
		}
		if t.loneDot && !t.dotSent {
			t.dotSent = true
			if _, err := s.out.WriteString(".\r\n"); err != nil {
				return err
			}
		}
		if t.granted && !t.dotSent && !s.partial {
			if reading && t.size() > WriteBuffer {
				s.owner.Wake()
			} else if err := s.writeContent(t, now); err != nil {
				return err
			}
		}
		if t.dotSent && s.envelope.busy && !s.lockStep {
			if err := s.writeCommands(s.envelope); err != nil {
				return err
			}
		}
	}
	if s.out.Buffered() == 0 {
		return nil
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	if t := s.content; t.dotSent && t.since.Equal(now) && t.wanted && t.size() > WriteBuffer {
		t.since = time.Now() // writing the content may have taken long
	}
	return nil
}

// writeCommands writes the envelope, as far as maxUnanswered lets it: one command in
// lock-step; else many, and more when half of it was answered.
func (s *Session) writeCommands(t *Transaction) error {
	most := maxUnanswered
	if s.lockStep {
		most = 1
	}
	if t.sent-t.replied > most/2 {
		return nil
	}
	for !t.over && t.wanted && t.sent < t.commands() && t.sent-t.replied < most {
		s.scratch = t.appendCommand(s.scratch[:0], s.extensions)
		if _, err := s.out.Write(s.scratch); err != nil {
			return err
		}
	}
	return nil
}

// writeContent writes content and final dot to the buffer.
func (s *Session) writeContent(t *Transaction, now time.Time) error {
	t.since = now
	if err := s.out.message(t.mail.Header, t.mail.Content, t.mail.Dots); err != nil {
		return err
	}
	t.dotSent, t.dotEnd = true, s.out.offset()
	return nil
}
