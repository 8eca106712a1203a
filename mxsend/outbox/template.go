package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// Letters renders mailings from templates in a file system. For Mailing.Template "news" it takes news.txt (text/template) and
// news.html (html/template), of which one may be missing, and for the subject news.subject (text/template). Templates get a
// Page.
//
// A message has From, To, Date, Message-ID, Subject, List-Unsubscribe and List-Unsubscribe-Post (RFC 8058), List-ID and
// Feedback-ID as far as the Config provides for them, and is text, HTML, or multipart/alternative.
type Letters struct {
	// FS holds the templates. It is required; embed.FS and os.DirFS are such.
	FS fs.FS
	// From is the author, "Shop <news@shop.example.com>". It is required.
	From string
	// Funcs are for the templates. Nil: none beyond the built-in ones.
	Funcs map[string]any
}

// A Page is what a template gets: {{.Data.name}}, {{.Params.season}}, {{.Unsubscribe}}.
type Page struct {
	Address     string
	Data        map[string]string // the Recipient's
	Params      map[string]string // the Mailing's
	Unsubscribe string            // the link; empty where there is none
}

// A letter is one template, parsed.
type letter struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// Templates parses all templates and returns a function for Config.Render. What is wrong with any of them is an error here. A
// template that fails for a recipient, because of a value that is missing for instance, has that recipient Rejected.
func Templates(letters Letters) (func(ctx context.Context, d Draft) (*mxsend.Message, error), error) {
	if letters.FS == nil {
		return nil, errors.New("outbox: Letters.FS is nil")
	}
	from, err := mail.ParseAddress(letters.From)
	if err != nil {
		return nil, fmt.Errorf("outbox: Letters.From %q: %w", letters.From, err)
	}
	all, err := letters.parse()
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, d Draft) (*mxsend.Message, error) {
		l, ok := all[d.Mailing.Template]
		if !ok {
			return nil, fmt.Errorf("there is no template %q", d.Mailing.Template)
		}
		content, err := l.write(from, d)
		if err != nil {
			return nil, err
		}
		return &mxsend.Message{ReturnPath: d.ReturnPath, Content: content}, nil
	}, nil
}

func (letters Letters) parse() (map[string]*letter, error) {
	all := map[string]*letter{}
	files, err := fs.ReadDir(letters.FS, ".")
	if err != nil {
		return nil, fmt.Errorf("outbox: templates: %w", err)
	}
	var wrong []error
	for _, file := range files {
		name, kind, _ := strings.Cut(file.Name(), ".")
		if file.IsDir() || kind != "txt" && kind != "html" && kind != "subject" {
			continue
		}
		l := all[name]
		if l == nil {
			l = &letter{}
			all[name] = l
		}
		source, err := fs.ReadFile(letters.FS, file.Name())
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		// What is missing is an error, and not "<no value>" in somebody's mail.
		switch kind {
		case "txt":
			l.text, err = texttemplate.New(file.Name()).Funcs(letters.Funcs).Option("missingkey=error").Parse(string(source))
		case "html":
			l.html, err = htmltemplate.New(file.Name()).Funcs(letters.Funcs).Option("missingkey=error").Parse(string(source))
		case "subject":
			l.subject, err = texttemplate.New(file.Name()).Funcs(letters.Funcs).Option("missingkey=error").Parse(strings.TrimSpace(string(source)))
		}
		wrong = append(wrong, err)
	}
	for name, l := range all {
		if l.subject == nil || l.text == nil && l.html == nil {
			wrong = append(wrong, fmt.Errorf("outbox: template %q needs %s.subject, and %s.txt or %s.html", name, name, name, name))
		}
	}
	if len(all) == 0 {
		wrong = append(wrong, errors.New("outbox: there are no templates"))
	}
	return all, errors.Join(wrong...)
}

func (l *letter) write(from *mail.Address, d Draft) ([]byte, error) {
	page := Page{Address: d.Recipient.Address, Data: d.Recipient.Data, Params: d.Mailing.Params, Unsubscribe: d.Unsubscribe}
	if page.Data == nil {
		page.Data = map[string]string{} // so that what is missing is an error in it, too
	}
	var subject, text, html bytes.Buffer
	if err := l.subject.Execute(&subject, page); err != nil {
		return nil, err
	}
	if strings.ContainsAny(subject.String(), "\r\n\x00") {
		return nil, errors.New("the subject has more than one line")
	}
	if l.text != nil {
		if err := l.text.Execute(&text, page); err != nil {
			return nil, err
		}
	}
	if l.html != nil {
		if err := l.html.Execute(&html, page); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	b.Grow(1024 + text.Len() + html.Len())
	header := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	header("From", from.String())
	header("To", (&mail.Address{Name: d.Recipient.Data["name"], Address: d.Recipient.Address}).String())
	header("Date", time.Now().Format(time.RFC1123Z))
	header("Message-ID", d.MessageID)
	header("Subject", mime.QEncoding.Encode("utf-8", subject.String()))
	if d.Unsubscribe != "" { // RFC 8058 §3.1; both must be signed, which package dkim does
		header("List-Unsubscribe", "<"+d.Unsubscribe+">")
		header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	header("List-ID", listID(d.Mailing.list(), from.Address))
	header("Feedback-ID", d.FeedbackID)
	header("MIME-Version", "1.0")
	const boundary = "=_mxsend" // no line of quoted-printable holds "=_"
	if l.html == nil {
		err := writePart(&b, "text/plain", text.Bytes())
		return b.Bytes(), err
	}
	if l.text == nil {
		err := writePart(&b, "text/html", html.Bytes())
		return b.Bytes(), err
	}
	header("Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
	b.WriteString("\r\n--" + boundary + "\r\n")
	err := writePart(&b, "text/plain", text.Bytes())
	b.WriteString("\r\n--" + boundary + "\r\n")
	err = errors.Join(err, writePart(&b, "text/html", html.Bytes()))
	b.WriteString("\r\n--" + boundary + "--\r\n")
	return b.Bytes(), err
}

// writePart writes quoted-printable, which neither 8-bit text nor long lines get through unchanged without.
func writePart(b *bytes.Buffer, kind string, content []byte) error {
	fmt.Fprintf(b, "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", kind)
	w := quotedprintable.NewWriter(b)
	_, err := w.Write(content)
	err = errors.Join(err, w.Close())
	if !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	return err
}

// listID is RFC 2919's: a label of the list under the author's domain.
func listID(list, from string) string {
	label := feedbackName(list)
	return "<" + label + "." + provider(from) + ">"
}
