package mxtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // so that go-message reads every charset that mail comes in
)

// Bounds on what ParseMessage reads.
const (
	maxParts = 1000
	maxDepth = 20
)

// A Message is a mail as its recipient's mail program reads it: transfer encodings undone, and text in UTF-8 whatever its
// charset was. It belongs to the caller.
type Message struct {
	Header      []Field  // in the order of the mail
	Subject     string   // decoded (RFC 2047)
	Text        string   // the text/plain parts that are no attachments, with LF as line end
	HTML        string   // the text/html parts that are no attachments
	Links       []string // http, https and mailto links, of the HTML's anchors and of the text, each once, in their order
	Attachments []Part   // parts that a mail program offers to save
	Parts       []Part   // all parts but the multipart ones, in their order; attachments too
}

// A Field is a field of a header, unfolded and decoded.
type Field struct{ Name, Value string }

// A Part is a part of a [Message].
type Part struct {
	Number    string // as IMAP counts: "1", "2.1"
	Type      string // media type in lower case: "text/plain"
	Name      string // file name; empty: none
	ContentID string // without angle brackets
	Inline    bool   // Content-Disposition is inline, or there is none
	Content   []byte // decoded
}

// ParseMessage reads a mail. What it can read of a mail with mistakes (an unknown charset, a multipart without end) it
// returns together with the error that names the first one.
func ParseMessage(content []byte) (*Message, error) {
	m := &Message{}
	root, err := message.Read(bytes.NewReader(content))
	if root == nil {
		return m, fmt.Errorf("mxtest: reading a mail: %w", err)
	}
	fields := root.Header.Fields()
	for fields.Next() {
		name := fields.Key()
		if raw, err := fields.Raw(); err == nil { // as it is written: Key changes "DKIM-Signature" to "Dkim-Signature"
			written, _, _ := bytes.Cut(raw, []byte(":"))
			name = strings.TrimSpace(string(written))
		}
		m.Header = append(m.Header, Field{name, decoded(fields.Value())})
	}
	m.Subject = m.Field("Subject")
	walked := root.Walk(func(path []int, part *message.Entity, mistake error) error {
		err = errors.Join(err, mistake)
		if len(path) > maxDepth || len(m.Parts) >= maxParts {
			return fmt.Errorf("more than %d parts, or nested more than %d deep", maxParts, maxDepth)
		}
		if part == nil || part.MultipartReader() != nil {
			return nil
		}
		p, mistake := readPart(path, part)
		err = errors.Join(err, mistake)
		m.add(p)
		return nil
	})
	m.Links = links(m.Text, m.HTML)
	if err = errors.Join(err, walked); err != nil {
		err = fmt.Errorf("mxtest: reading a mail: %w", err)
	}
	return m, err
}

// readPart reads a part that is no multipart.
func readPart(path []int, part *message.Entity) (Part, error) {
	kind, params, err := part.Header.ContentType()
	if kind == "" {
		kind = "text/plain" // RFC 2045 §5.2
	}
	p := Part{Number: "1", Type: strings.ToLower(kind), ContentID: strings.Trim(part.Header.Get("Content-Id"), "<> ")}
	if len(path) > 0 {
		var number []string
		for _, n := range path {
			number = append(number, strconv.Itoa(n+1))
		}
		p.Number = strings.Join(number, ".")
	}
	disposition, dispositionParams, _ := part.Header.ContentDisposition()
	p.Inline = disposition == "" || strings.EqualFold(disposition, "inline")
	p.Name = decoded(dispositionParams["filename"])
	if p.Name == "" {
		p.Name = decoded(params["name"])
	}
	content, bodyErr := io.ReadAll(part.Body)
	p.Content = content
	return p, errors.Join(err, bodyErr)
}

// add adds a part to the message.
func (m *Message) add(p Part) {
	m.Parts = append(m.Parts, p)
	switch shown := p.Inline && p.Name == ""; {
	case shown && p.Type == "text/plain":
		m.Text += strings.ToValidUTF8(strings.ReplaceAll(string(p.Content), "\r\n", "\n"), "\uFFFD")
	case shown && p.Type == "text/html":
		m.HTML += strings.ToValidUTF8(string(p.Content), "\uFFFD")
	case !p.Inline || p.ContentID == "":
		m.Attachments = append(m.Attachments, p)
	}
}

// decoded unfolds a value and undoes RFC 2047. What cannot be decoded stays as it is.
func decoded(value string) string {
	value = strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", ""), "\n", "")
	words := mime.WordDecoder{CharsetReader: message.CharsetReader}
	if text, err := words.DecodeHeader(value); err == nil {
		value = text
	}
	return strings.TrimSpace(strings.ToValidUTF8(value, "\uFFFD"))
}

// Field is the value of the first field with a name, in any case; empty where there is none.
func (m *Message) Field(name string) string {
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Message reads the mail. See [ParseMessage]; content that the ledger let go is an error.
func (d Delivery) Message() (*Message, error) {
	if d.Content == nil {
		return &Message{}, errors.New("mxtest: the ledger has let go of this mail's content: see Config.KeepContent")
	}
	return ParseMessage(d.Content)
}

// Inbox is what was delivered to a recipient, the oldest first.
func (l *Ledger) Inbox(address string) []Delivery {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	var list []Delivery
	for i := range l.e.deliveries {
		for _, id := range l.e.deliveries[i].rcpts {
			if strings.EqualFold(l.e.rcpts[id].address, address) {
				list = append(list, l.delivery(&l.e.deliveries[i]))
				break
			}
		}
	}
	return list
}
