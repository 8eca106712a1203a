package desk

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

// A mailPage is a mail with all that is known of it.
type mailPage struct {
	mailRow
	Problem     string    `json:"problem,omitempty"` // what could not be read of it
	Headers     []field   `json:"headers"`
	Text        string    `json:"text"`
	HTML        string    `json:"html"`
	Links       []string  `json:"links"`
	Attachments []part    `json:"attachments"`
	Parts       []part    `json:"parts"`
	DKIM        []verdict `json:"dkim"`
	VERP        *token    `json:"verp,omitempty"`
	Bounces     []bounce  `json:"bounces"`
	Shown       string    `json:"-"` // number of the part in the frame
	Content     bool      `json:"-"` // there is content to show
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type part struct {
	Number string `json:"number"`
	Type   string `json:"type"`
	Name   string `json:"name,omitempty"`
	Size   int    `json:"size"`
	Href   string `json:"href"`
	Framed bool   `json:"-"` // can be shown in a frame
}

// A verdict is that on a DKIM signature.
type verdict struct {
	Domain string `json:"domain"`
	Result string `json:"result"` // "valid" or "not valid"
	Reason string `json:"reason,omitempty"`
}

// A token is what the return path says.
type token struct {
	Result string  `json:"result"` // "genuine", "expired", "forged" or "foreign"
	ID     string  `json:"id,omitempty"`
	Number *uint64 `json:"number,omitempty"`
	Issued string  `json:"issued,omitempty"`
}

// A bounce is a notification about the mail.
type bounce struct {
	ID         string    `json:"id"`
	Action     string    `json:"action"`
	To         string    `json:"to"`
	Recipients []string  `json:"recipients"`
	Time       time.Time `json:"time"`
	Delivered  bool      `json:"delivered"`
	Text       string    `json:"text"`
}

// frameable are the types that are shown in the frame.
var frameable = []string{"text/html", "text/plain", "image/png", "image/jpeg", "image/gif"}

// mail answers with a mail.
func (d *Desk) mail(w http.ResponseWriter, r *http.Request) {
	m, ok := d.cluster.Ledger().Mail(r.PathValue("id"))
	if !ok {
		d.fail(w, r, http.StatusNotFound, fmt.Sprintf("there is no mail with queue id %.40q", r.PathValue("id")))
		return
	}
	p := mailPage{mailRow: newMailRow(m), Content: m.Content != nil, VERP: d.decode(m.ReturnPath),
		Headers: []field{}, Links: []string{}, Attachments: []part{}, Parts: []part{}, DKIM: []verdict{}, Bounces: []bounce{}}
	message, err := mxtest.ParseMessage(m.Content)
	switch {
	case !p.Content:
		p.Problem = "The ledger has let go of this mail's content."
	case err != nil:
		p.Problem = err.Error()
	}
	p.Text, p.HTML, p.Links = message.Text, message.HTML, append(p.Links, message.Links...)
	for _, f := range message.Header {
		p.Headers = append(p.Headers, field(f))
	}
	for _, one := range message.Parts {
		p.Parts = append(p.Parts, newPart(p.ID, one))
	}
	for _, one := range message.Attachments {
		p.Attachments = append(p.Attachments, newPart(p.ID, one))
	}
	for _, s := range m.Signatures() {
		v := verdict{Domain: s.Domain, Result: "valid"}
		if s.Err != nil {
			v.Result, v.Reason = "not valid", s.Err.Error()
		}
		p.DKIM = append(p.DKIM, v)
	}
	for _, n := range d.cluster.Ledger().NotificationsAbout(m.QueueID) {
		about, _ := mxtest.ParseMessage(n.Content) // written by the cluster
		p.Bounces = append(p.Bounces, bounce{ID: n.QueueID, Action: n.Action, To: n.To, Recipients: n.Recipients, Time: n.Time, Delivered: n.Delivered, Text: about.Text})
	}
	p.Shown = shown(p.Parts, r.URL.Query().Get("part"))
	title := m.Subject
	if title == "" {
		title = "(no subject)"
	}
	d.show(w, r, "mail.html", view{Title: title, Here: "/mails", Data: p})
}

func newPart(id string, p mxtest.Part) part {
	return part{
		Number: p.Number, Type: p.Type, Name: p.Name, Size: len(p.Content), Href: "/mails/" + id + "/parts/" + p.Number,
		Framed: slices.Contains(frameable, p.Type),
	}
}

// shown is the part to show: the one that was asked for, or else the HTML, or else the text.
func shown(parts []part, wanted string) string {
	for _, want := range []func(part) bool{
		func(p part) bool { return p.Number == wanted },
		func(p part) bool { return p.Type == "text/html" },
		func(p part) bool { return p.Type == "text/plain" },
		func(p part) bool { return true },
	} {
		for _, p := range parts {
			if p.Framed && want(p) {
				return p.Number
			}
		}
	}
	return ""
}

// decode says what a return path says; nil where there is no key to tell.
func (d *Desk) decode(returnPath string) *token {
	if d.options.VERP == nil || returnPath == "" {
		return nil
	}
	t, err := d.options.VERP.Decode(returnPath)
	switch {
	case errors.Is(err, verp.ErrForeign):
		return &token{Result: "foreign"}
	case errors.Is(err, verp.ErrForged):
		return &token{Result: "forged"}
	}
	is := &token{Result: "genuine", ID: hex.EncodeToString(t.ID), Issued: t.Issued.Format(time.DateOnly)}
	if errors.Is(err, verp.ErrExpired) {
		is.Result = "expired"
	}
	if n, ok := t.Uint64(); ok {
		is.Number = &n
	}
	if uuid, ok := t.UUID(); ok {
		is.ID = uuid
	}
	return is
}

// content finds the content of a mail, or of a bounce, by its queue id.
func (d *Desk) content(id string) []byte {
	if m, ok := d.cluster.Ledger().Mail(id); ok {
		return m.Content
	}
	n, _ := d.cluster.Ledger().Notification(id)
	return n.Content
}

// raw answers with a mail or a bounce to the octet, as text.
func (d *Desk) raw(w http.ResponseWriter, r *http.Request) {
	content := d.content(r.PathValue("id"))
	if content == nil {
		d.fail(w, r, http.StatusNotFound, fmt.Sprintf("there is no content with queue id %.40q", r.PathValue("id")))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Security-Policy", framePolicy)
	w.Write(content)
}

// framePolicy is that of content that strangers wrote: no script, no form, nothing loaded, an origin of its own.
const framePolicy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// part answers with a part of a mail: what can be shown as it is, all else as a file to save.
func (d *Desk) part(w http.ResponseWriter, r *http.Request) {
	content := d.content(r.PathValue("id"))
	message, _ := mxtest.ParseMessage(content) // of a mail with mistakes, what can be read
	i := slices.IndexFunc(message.Parts, func(p mxtest.Part) bool { return p.Number == r.PathValue("number") })
	if i < 0 || content == nil {
		d.fail(w, r, http.StatusNotFound, "there is no such part")
		return
	}
	p := message.Parts[i]
	h := w.Header()
	h.Set("Content-Security-Policy", framePolicy)
	kind := p.Type
	switch {
	case !slices.Contains(frameable, kind) || r.URL.Query().Has("save"):
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(p)}))
		kind = "application/octet-stream"
	case strings.HasPrefix(kind, "text/"):
		kind += "; charset=utf-8"
	}
	if p.Type == "text/html" {
		p.Content = []byte(inlined(string(p.Content), message.Parts))
	}
	h.Set("Content-Type", kind)
	w.Write(p.Content)
}

// fileName is a name to save a part under.
func fileName(p mxtest.Part) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, p.Name)
	if name == "" {
		return "part-" + p.Number
	}
	return name
}

// mostInlined bounds the octets of images that are put into a page.
const mostInlined = 8 << 20

// inlined puts images of the mail into its HTML, in place of links by Content-ID (RFC 2392): the frame loads nothing.
func inlined(page string, parts []mxtest.Part) string {
	total := 0
	for _, p := range parts {
		if p.ContentID == "" || !strings.HasPrefix(p.Type, "image/") || !slices.Contains(frameable, p.Type) {
			continue
		}
		if total += len(p.Content); total > mostInlined {
			break
		}
		page = strings.ReplaceAll(page, "cid:"+p.ContentID, "data:"+p.Type+";base64,"+base64.StdEncoding.EncodeToString(p.Content))
	}
	return page
}
