package outbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
)

// An unsubscribe token says which list, which address, and by which mailing. It names the address by its keyed hash and the list
// by the mailing that it was made for, and has no expiry: a link in an old mail must work, also when the recipient was
// forgotten.
//
//	base64url(mailing, 4 octets | hash of the address, 16 | HMAC-SHA-256 over a label and both, 16)
const (
	tokenBody = 4 + 16
	tokenSize = tokenBody + 16
)

func (b *Box) unsubscribeLink(m *mailing, address string) string {
	token := make([]byte, tokenBody, tokenSize)
	first, rest := b.hasher()(address)
	binary.BigEndian.PutUint32(token, uint32(m.id))
	binary.BigEndian.PutUint64(token[4:], uint64(first))
	binary.BigEndian.PutUint64(token[12:], uint64(rest))
	token = append(token, b.sign(token)...)
	return strings.TrimSuffix(b.cfg.UnsubscribeURL, "/") + "/" + base64.RawURLEncoding.EncodeToString(token)
}

func (b *Box) sign(body []byte) []byte {
	mac := hmac.New(sha256.New, b.secret)
	mac.Write([]byte("outbox unsubscribe\x00")) // its own domain: no other signature by this key is one
	mac.Write(body)
	return mac.Sum(nil)[:tokenSize-tokenBody]
}

// unsubscription is what a genuine token says.
type unsubscription struct{ mailing, first, rest int64 }

func (b *Box) readToken(text string) (u unsubscription, ok bool) {
	token, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(token) != tokenSize || !hmac.Equal(token[tokenBody:], b.sign(token[:tokenBody])) {
		return u, false
	}
	return unsubscription{int64(binary.BigEndian.Uint32(token)), int64(binary.BigEndian.Uint64(token[4:])), int64(binary.BigEndian.Uint64(token[12:]))}, true
}

// Unsubscribe returns the handler of Config.UnsubscribeURL, for one-click unsubscribing (RFC 8058) and for people who follow the
// link. POST unsubscribes. GET shows a page with a button and changes nothing, because scanners of mail follow links. It
// needs no cookies and no script, and shows no address. The token is the last element of the URL's path.
//
// Whoever has unsubscribed gets no mail of the mailing's list any more; transactional mail is not concerned.
func (b *Box) Unsubscribe() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Referrer-Policy", "no-referrer") // the URL is a capability
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
		default:
			h.Set("Allow", "GET, HEAD, POST")
			showPage(w, http.StatusMethodNotAllowed, page{Title: "Not allowed"})
			return
		}
		u, ok := b.readToken(path.Base(r.URL.Path))
		if !ok {
			showPage(w, http.StatusNotFound, page{Title: "This link is not valid", Text: "Please copy the whole link from the mail."})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
		defer cancel()
		list, err := b.unsubscribe(ctx, u, r.Method == http.MethodPost)
		switch {
		case errors.Is(err, ErrUnknown):
			showPage(w, http.StatusNotFound, page{Title: "This list does not exist any more"})
		case err != nil:
			b.log().Error("outbox: unsubscribe", "error", err)
			h.Set("Retry-After", "60")
			showPage(w, http.StatusServiceUnavailable, page{Title: "Please try again in a minute"})
		case r.Method == http.MethodPost:
			showPage(w, http.StatusOK, page{Title: "You are unsubscribed", Text: "You will get no more mail of this list.", List: list})
		default:
			showPage(w, http.StatusOK, page{Title: "Unsubscribe", Text: "Do you want no more mail of this list?", List: list, Button: "Unsubscribe"})
		}
	})
}

// unsubscribe finds the token's list and, where act is set, notes the wish.
func (b *Box) unsubscribe(ctx context.Context, u unsubscription, act bool) (list string, err error) {
	m, err := b.mailing(ctx, u.mailing)
	if err != nil {
		return "", err
	}
	list = m.spec.list()
	if !act {
		return list, nil
	}
	return list, b.store.begin(ctx, func(t *tx) error {
		return t.suppress(ctx, b.cfg.Suppression, list, u.first, u.rest, "", ReasonUnsubscribe)
	})
}

type page struct{ Title, Text, List, Button string }

// showPage writes one page. Its form has no action, so it goes to the page's own URL.
func showPage(w http.ResponseWriter, code int, p page) {
	w.WriteHeader(code)
	_ = pages.Execute(w, p)
}

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Text}}<p>{{.}}</p>{{end}}
{{with .List}}<p>List: {{.}}</p>{{end}}
{{with .Button}}<form method="post"><button type="submit">{{.}}</button></form>{{end}}
`))
