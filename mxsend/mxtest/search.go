package mxtest

import (
	"strings"
	"time"
)

// A Query says which mails [Ledger.Search] looks for. Text is looked for as a part, in any case; empty fields match every mail.
type Query struct {
	Text       string // in any of those below
	Recipient  string // in the address of any recipient
	Subject    string
	ReturnPath string
	MessageID  string
	QueueID    string    // at any relay that had the mail
	Place      Place     // of any recipient; zero: any
	After      time.Time // accepted later than this; zero: any time
	Limit      int       // at most so many mails; zero: all
}

// Search returns the mails that match, the newest first, without their content: [Ledger.Mail] has it.
func (l *Ledger) Search(q Query) []Mail {
	e := l.e
	for _, s := range []*string{&q.Text, &q.Recipient, &q.Subject, &q.ReturnPath, &q.MessageID, &q.QueueID} {
		*s = strings.ToLower(strings.TrimSpace(*s))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []Mail
	for i := len(e.mails) - 1; i >= 0 && (q.Limit <= 0 || len(list) < q.Limit); i-- {
		m := &e.mails[i]
		if !q.After.IsZero() && !e.stamp(m.accepted).After(q.After) {
			break
		}
		if m.note == nil && e.matches(m, &q) {
			mail := e.mail(m)
			mail.Content = nil
			list = append(list, mail)
		}
	}
	return list
}

// matches reports whether a mail is looked for. e.mu is held.
func (e *engine) matches(m *mailRec, q *Query) bool {
	contains := func(s, part string) bool { return strings.Contains(strings.ToLower(s), part) }
	subject := func(part string) bool { return contains(decoded(fieldOf(m.content, "subject:")), part) }
	recipient := func(part string, place Place) bool {
		for i := m.first; i < m.first+m.n; i++ {
			if to := &e.rcpts[i]; (place == 0 || to.place == place) && contains(to.address, part) {
				return true
			}
		}
		return false
	}
	id := func(part string) bool { return e.anyID(m, func(id string) bool { return contains(id, part) }) }
	if (q.Recipient != "" || q.Place != 0) && !recipient(q.Recipient, q.Place) ||
		q.ReturnPath != "" && !contains(m.returnPath, q.ReturnPath) || q.MessageID != "" && !contains(m.messageID, q.MessageID) ||
		q.QueueID != "" && !id(q.QueueID) || q.Subject != "" && !subject(q.Subject) {
		return false
	}
	return q.Text == "" || recipient(q.Text, 0) || contains(m.returnPath, q.Text) || contains(m.messageID, q.Text) || subject(q.Text) || id(q.Text)
}

// anyID reports whether a queue id of the mail, at any relay that has or had it, is looked for. e.mu is held.
func (e *engine) anyID(m *mailRec, wanted func(id string) bool) bool {
	for i := m.first; i < m.first+m.n; i++ {
		for c := e.rcpts[i].copy; c >= 0; c = e.copies[c].parent {
			if wanted(queueID(e.copies[c].number)) {
				return true
			}
		}
	}
	return false
}

// Mail finds a mail by a queue id that it has or had at any relay.
func (l *Ledger) Mail(queueID string) (Mail, bool) {
	found := l.mails(func(m *mailRec) bool {
		return l.e.anyID(m, func(id string) bool { return strings.EqualFold(id, queueID) })
	})
	if len(found) == 0 {
		return Mail{}, false
	}
	return found[0], true
}

// NotificationsAbout are the notifications about the mail with this Mail.QueueID.
func (l *Ledger) NotificationsAbout(id string) []Notification {
	return l.notifications(func(m *mailRec) bool { return queueID(l.e.copies[l.e.mails[m.note.mail].copy].number) == id })
}

// Notification finds a notification by its own queue id.
func (l *Ledger) Notification(id string) (Notification, bool) {
	found := l.notifications(func(m *mailRec) bool { return strings.EqualFold(queueID(l.e.copies[m.copy].number), id) })
	if len(found) == 0 {
		return Notification{}, false
	}
	return found[0], true
}
