package mxtest

import (
	"slices"
	"strings"
	"testing"
)

// AssertOneMail ends the test unless exactly one mail was delivered to this recipient, and returns that mail.
func (l *Ledger) AssertOneMail(tb testing.TB, recipient string) *Message {
	tb.Helper()
	inbox := l.Inbox(recipient)
	if len(inbox) != 1 {
		tb.Fatalf("ledger: %s got %d mails, not one", recipient, len(inbox))
	}
	m, err := inbox[0].Message()
	if err != nil {
		tb.Fatalf("ledger: the mail to %s: %v", recipient, err)
	}
	return m
}

// AssertSubject fails the test unless this is the subject.
func (m *Message) AssertSubject(tb testing.TB, want string) {
	tb.Helper()
	if m.Subject != want {
		tb.Errorf("the subject is %q, not %q", m.Subject, want)
	}
}

// AssertText fails the test unless the mail says this. A mail with text and HTML must say it in both. How white space is
// written does not matter.
func (m *Message) AssertText(tb testing.TB, want string) {
	tb.Helper()
	forms := []struct{ name, text string }{{"text", m.Text}, {"HTML", visible(m.HTML)}}
	said := false
	for _, form := range forms {
		text := oneLine(form.text)
		if text == "" {
			continue
		}
		said = true
		if !strings.Contains(text, oneLine(want)) {
			tb.Errorf("the %s does not say %q; it says %.500q", form.name, want, text)
		}
	}
	if !said {
		tb.Errorf("the mail has no text that could say %q", want)
	}
}

// AssertHeader fails the test unless the mail has a field with this name and value, decoded. How white space is written does
// not matter.
func (m *Message) AssertHeader(tb testing.TB, name, want string) {
	tb.Helper()
	var got []string
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, name) {
			got = append(got, oneLine(f.Value))
		}
	}
	if !slices.Contains(got, oneLine(want)) {
		tb.Errorf("field %s is %q, not %q", name, got, want)
	}
}

// AssertLink fails the test unless the mail has a link that begins with prefix, and returns the first such link, which a test
// may follow; otherwise "".
func (m *Message) AssertLink(tb testing.TB, prefix string) string {
	tb.Helper()
	for _, link := range m.Links {
		if strings.HasPrefix(link, prefix) {
			return link
		}
	}
	tb.Errorf("no link begins with %q; the links are %q", prefix, m.Links)
	return ""
}

// AssertAttachment fails the test unless the mail has an attachment with this file name, and returns it; otherwise a zero
// Part.
func (m *Message) AssertAttachment(tb testing.TB, name string) Part {
	tb.Helper()
	var names []string
	for _, p := range m.Attachments {
		if p.Name == name {
			return p
		}
		names = append(names, p.Name)
	}
	tb.Errorf("no attachment is named %q; the attachments are %q", name, names)
	return Part{}
}

// oneLine writes every run of white space as a single space.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
