// Package page is what the web pages of this project share: one stylesheet, one script, the headers that keep them strict, a
// feed of live fragments, and plots. It knows nothing of mail.
//
// A page is complete as the server sends it. Where the browser runs the script, elements that have an id are kept up to date by
// the Feed that the body names:
//
//	<body data-live="events">
//	<td id="p1-queue">17</td>
//
// Nothing is loaded from elsewhere, there is no cookie, and a page works without the script.
package page

import (
	"embed"
	"net"
	"net/http"
	"path"
	"strings"
)

//go:embed page.css page.js icon.svg
var files embed.FS

// kinds are the types of the files.
var kinds = map[string]string{
	"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
}

// Assets serves page.css, page.js and icon.svg, under whatever path.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		content, err := files.ReadFile(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kinds[name])
		w.Header().Set("Cache-Control", "no-cache")
		w.Write(content)
	})
}

// Policy is the Content-Security-Policy of pages: only what this server serves, no inline script, no inline style, no frame
// around them.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Secure adds the headers of strict pages to what next answers, and refuses forms from elsewhere. next may replace a header.
func Secure(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// OnLoopback reports whether a request's Host names this machine to itself. A page that needs no password must ask, or a page of
// somebody else's reaches it in the browser under a name of its own (DNS rebinding).
func OnLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(strings.ToLower(host), "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
