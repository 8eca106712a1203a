package desk

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

// newDesk starts a cluster and its desk.
func newDesk(t *testing.T, options Options) (*mxtest.Cluster, *Desk) {
	t.Helper()
	c, err := mxtest.Start(mxtest.Config{}) // as the program does, where misuse is a panic
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	d, err := New(c, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return c, d
}

// send sends a mail through the first primary, and waits until there is nothing to do.
func send(t *testing.T, c *mxtest.Cluster, from, to, content string) {
	t.Helper()
	if err := smtp.SendMail(plain(c), nil, from, []string{to}, []byte(strings.ReplaceAll(content, "\n", "\r\n"))); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// plain is where the first primary listens, but for certificates, which SendMail cannot be told of.
func plain(c *mxtest.Cluster) string {
	c.Primary(0).Inject(mxtest.Fault{Kind: mxtest.TLSStripped})
	return c.Primary(0).ListenAddr()
}

// ask asks the desk; a body makes it a POST.
func ask(d *Desk, path string, form url.Values, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://localhost:2580"+path, nil)
	if form != nil {
		r = httptest.NewRequest("POST", "http://localhost:2580"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// asJSON asks the API.
func asJSON[T any](t *testing.T, d *Desk, path string, form url.Values) (v T, status int) {
	t.Helper()
	w := ask(d, path, form, "Accept", "application/json")
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %d %s: %v", path, w.Code, w.Body, err)
	}
	return v, w.Code
}

// Every button does what it says, its counterpart ends it, and the line of Go is Go.
func TestActions(t *testing.T) {
	c, d := newDesk(t, Options{})
	r := c.Primary(1)
	is := func() string {
		s := r.Status()
		return fmt.Sprint(s.State, s.Limits.Accept, s.Faults)
	}
	c.Primary(0).SetLimits(mxtest.Limits{Connections: 7})
	r.SetLimits(mxtest.Limits{Connections: 7})
	for _, tt := range []struct{ do, want, code string }{
		{"stop", "stopped 0s []", "cluster.Primary(1).Stop()"},
		{"start", "running 0s []", "cluster.Primary(1).Start()"},
		{"freeze", "black-holed 0s []", "cluster.Primary(1).BlackHole()"},
		{"start", "running 0s []", "cluster.Primary(1).Start()"},
		{"slow", "running 2s []", "cluster.Primary(1).SetLimits(mxtest.Limits{Accept: 2 * time.Second})"},
		{"fast", "running 0s []", "cluster.Primary(1).SetLimits(mxtest.Limits{})"},
		{"busy", "running 0s [Answer 421 4.3.2 too busy at greeting, always]", `cluster.Primary(1).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtGreeting, Reply: "421 4.3.2 too busy", Times: mxtest.Always})`},
		{"cut", "running 0s [Answer 421 4.3.2 too busy at greeting, always Cut at end of DATA, the mail kept]", "cluster.Primary(1).Inject(mxtest.CutAfterDot(true))"},
		{"free", "running 0s [Cut at end of DATA, the mail kept]", "cluster.Primary(1).ClearFaults()"},
		{"spare", "running 0s []", "cluster.Primary(1).ClearFaults()"},
		{"refuse", "running 0s [Answer 554 5.7.1 <client>: Relay access denied at RCPT TO, always]", "cluster.Primary(1).Inject(mxtest.RefuseClient())"},
		{"accept", "running 0s []", "cluster.Primary(1).ClearFaults()"},
		{"flush", "running 0s []", "cluster.Primary(1).Flush()"},
	} {
		did, status := asJSON[deed](t, d, "/relays/p2", url.Values{"do": {tt.do}})
		if status != 200 || did.Go != tt.code || is() != tt.want {
			t.Errorf("%s: got %d, %s, the relay is %s; want %s, %s", tt.do, status, did.Go, is(), tt.code, tt.want)
		}
	}
	if l := r.Status().Limits.Connections; l != 7 {
		t.Errorf("other limits are gone: %d", l)
	}
	for _, line := range append(relayLines(), answerLines()...) {
		if _, err := parser.ParseExpr(line.Go); err != nil {
			t.Errorf("%s: %v", line.Go, err)
		}
	}
	if did, _ := asJSON[deed](t, d, "/relays/g2", url.Values{"do": {"stop"}}); did.Go != "cluster.Graveyard(1).Stop()" || c.Graveyard(1).Status().State != mxtest.Stopped {
		t.Errorf("got %+v", did)
	}
	w := ask(d, "/relays/p1", url.Values{"do": {"stop"}}) // as a form of the page
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/#p1" || c.Primary(0).Status().State != mxtest.Stopped {
		t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
	}
	front := ask(d, "/", nil).Body.String()
	for _, want := range []string{`name="do" value="start"`, "cluster.Graveyard(1).Stop()\n", "421 over 7 sessions"} {
		if !strings.Contains(front, want) {
			t.Errorf("the front page lacks %s", want)
		}
	}
}

// What makes no sense is refused with a reason, as a page and as JSON, and breaks nothing.
func TestBadRequests(t *testing.T) {
	c, d := newDesk(t, Options{})
	for _, tt := range []struct {
		path   string
		form   url.Values
		status int
		reason string
	}{
		{"/relays/p9", url.Values{"do": {"stop"}}, 404, `there is no relay "p9"`},
		{"/relays/p1", url.Values{"do": {"explode"}}, 400, `do="explode" is no action`},
		{"/relays/p1", url.Values{}, 400, "is no action"},
		{"/destinations", url.Values{"do": {"full"}, "domain": {"no domain"}}, 400, "no domain name"},
		{"/destinations", url.Values{"do": {"full"}, "domain": {`"><script>`}}, 400, "no domain name"},
		{"/destinations", url.Values{"do": {"dance"}, "domain": {"example.test"}}, 400, `do="dance" is no answer`},
		{"/destinations", url.Values{"do": {"slow"}, "domain": {"example.test"}, "wait": {"-1"}}, 400, "is no number of seconds"},
		{"/destinations", url.Values{"do": {"slow"}, "domain": {"example.test"}, "wait": {"99999999999999999999"}}, 400, "is no number of seconds"},
		{"/clock", url.Values{"by": {"-5m"}}, 400, "is no time such as"},
		{"/clock", url.Values{"by": {"9999999h"}}, 400, "is no time such as"},
		{"/dns", url.Values{"name": {"x.test"}}, 400, "both needed"},
		{"/mails?place=heaven", nil, 400, `place="heaven" is none of queued`},
		{"/mails?wait=1y", nil, 400, "is no time from 0s to 5m0s"},
		{"/mails?limit=0", nil, 400, "is no number from 1 to 1000"},
		{"/mails?after=yesterday", nil, 400, "is no time such as"},
		{"/mails/NOSUCH", nil, 404, "there is no mail"},
		{"/mails/NOSUCH/raw", nil, 404, "there is no content"},
		{"/mails/NOSUCH/parts/1", nil, 404, "there is no such part"},
		{"/nowhere", nil, 404, ""},
	} {
		if tt.reason != "" {
			got, status := asJSON[map[string]string](t, d, tt.path, tt.form)
			if status != tt.status || !strings.Contains(got["error"], tt.reason) {
				t.Errorf("%s %v: got %d %v, want %d %s", tt.path, tt.form, status, got, tt.status, tt.reason)
			}
		}
		if w := ask(d, tt.path, tt.form); w.Code != tt.status || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s: got %d %s", tt.path, w.Code, w.Body)
		}
	}
	send(t, c, "b@app.test", "jane@example.test", "Subject: still there\n\nx\n")
	if _, status := asJSON[deed](t, d, "/destinations", url.Values{"do": {"full"}, "domain": {"Example.test"}}); status != 200 {
		t.Errorf("got %d after all that", status)
	}
	send(t, c, "b@app.test", "jane@example.test", "Subject: full\n\nx\n")
	if n := c.Ledger().Counts(); n.Delivered != 1 || n.Deferred != 1 {
		t.Errorf("got %+v", n)
	}
}

// Forms from elsewhere, and names that are not this machine's, get nothing.
func TestElsewhere(t *testing.T) {
	c, d := newDesk(t, Options{})
	if w := ask(d, "/relays/p1", url.Values{"do": {"stop"}}, "Sec-Fetch-Site", "cross-site"); w.Code != 403 || c.Primary(0).Status().State != mxtest.Running {
		t.Errorf("got %d, the relay is %v", w.Code, c.Primary(0).Status().State)
	}
	_, open := newDesk(t, Options{AnyHost: true})
	for host, ours := range map[string]bool{
		"localhost": true, "localhost:2580": true, "desk.localhost": true, "127.0.0.1": true, "127.9.9.9:80": true, "[::1]:80": true, "LOCALHOST": true,
		"evil.test": false, "localhost.evil.test": false, "192.0.2.1": false, "": false, "127.0.0.1.evil.test:80": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if d.ServeHTTP(w, r); (w.Code == 200) != ours {
			t.Errorf("Host %q: got %d", host, w.Code)
		}
		w = httptest.NewRecorder()
		if open.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("Host %q, any allowed: got %d", host, w.Code)
		}
	}
}

// A test in any language waits for its mail, and reads it.
func TestWaitForMail(t *testing.T) {
	c, d := newDesk(t, Options{})
	got := make(chan mailList)
	go func() {
		list, _ := asJSON[mailList](t, d, "/mails?to=jane@&place=delivered&wait=1m", nil)
		got <- list
	}()
	send(t, c, "b@app.test", "bob@example.test", "Subject: other\n\nx\n")
	send(t, c, "b@app.test", "jane@example.test", "Subject: =?utf-8?q?f=C3=BCr_Jane?=\n\nSee https://shop.test/x\n")
	list := <-got
	if len(list.Mails) != 1 || list.Mails[0].Subject != "für Jane" || list.Mails[0].Recipients[0].Way[0].Relay != "p1.mail.test" {
		t.Fatalf("got %+v", list)
	}
	if m, _ := asJSON[mailPage](t, d, "/mails/"+list.Mails[0].ID, nil); len(m.Links) != 1 || m.Links[0] != "https://shop.test/x" || m.ID != list.Mails[0].ID {
		t.Errorf("got %+v", m)
	}
	if list, status := asJSON[mailList](t, d, "/mails?to=nobody&wait=10ms", nil); status != 200 || list.Mails == nil || len(list.Mails) != 0 {
		t.Errorf("nothing: got %d %+v", status, list)
	}
	if list, _ := asJSON[mailList](t, d, "/mails?limit=1", nil); len(list.Mails) != 1 || !list.More {
		t.Errorf("limit: got %+v", list)
	}
	if page := ask(d, "/mails?q=JANE", nil).Body.String(); !strings.Contains(page, "für Jane") || strings.Contains(page, ">other<") || !strings.Contains(page, `value="JANE"`) {
		t.Errorf("got %s", page)
	}
}

// A mail with its bounce beside it, its VERP token, its way through a graveyard, and five days that pass at a click.
func TestMailPage(t *testing.T) {
	codec, err := verp.New(verp.Config{Prefix: "b", Domain: "bounce.test", Keys: []verp.Key{{ID: 1, Secret: []byte("0123456789abcdef")}}})
	if err != nil {
		t.Fatal(err)
	}
	c, d := newDesk(t, Options{VERP: codec})
	from, _ := codec.Encode(verp.FromUint64(4711))
	ask(d, "/destinations", url.Values{"do": {"full"}, "domain": {"full.test"}})
	send(t, c, from, "jane@full.test", "Subject: hello\n\nx\n")
	list, _ := asJSON[mailList](t, d, "/mails", nil)
	path := "/mails/" + list.Mails[0].ID
	m, _ := asJSON[mailPage](t, d, path, nil)
	if way := m.Recipients[0].Way; len(way) != 2 || way[1].Relay != "g1.mail.test" || m.Recipients[0].Place != "deferred" || len(m.Bounces) != 0 {
		t.Fatalf("got %+v", m)
	}
	if byOther, _ := asJSON[mailPage](t, d, "/mails/"+m.Recipients[0].Way[1].QueueID, nil); byOther.ID != m.ID {
		t.Errorf("by the graveyard's queue id: got %s, want %s", byOther.ID, m.ID)
	}
	if m.VERP == nil || m.VERP.Result != "genuine" || *m.VERP.Number != 4711 {
		t.Errorf("VERP: got %+v", m.VERP)
	}
	if did, _ := asJSON[deed](t, d, "/clock", url.Values{"by": {"144h"}}); did.Go != "cluster.Advance(144 * time.Hour)" {
		t.Errorf("got %+v", did)
	}
	if m, _ = asJSON[mailPage](t, d, path, nil); len(m.Bounces) != 1 || !strings.Contains(m.Bounces[0].Text, "<jane@full.test>: host mx.full.test") {
		t.Fatalf("bounces: got %+v", m.Bounces)
	}
	page := ask(d, path, nil).Body.String()
	for _, want := range []string{"The bounce", "452 4.2.2 mailbox full", "4711", "g1.mail.test", "not signed", "bounced"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if raw := ask(d, "/mails/"+m.Bounces[0].ID+"/raw", nil); !strings.Contains(raw.Body.String(), "multipart/report") || raw.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("the bounce: got %d %v", raw.Code, raw.Header())
	}
	send(t, c, strings.Replace(from, "b+a", "b+b", 1), "jane@example.test", "Subject: forged\n\nx\n")
	list, _ = asJSON[mailList](t, d, "/mails?subject=forged", nil)
	if m, _ := asJSON[mailPage](t, d, "/mails/"+list.Mails[0].ID, nil); m.VERP.Result != "forged" && m.VERP.Result != "foreign" {
		t.Errorf("VERP: got %+v", m.VERP)
	}
}

const hostile = `Subject: <script>alert(1)</script> "><img src=x onerror=alert(2)>
From: "</title><script>alert(3)</script>" <x@evil.test>
X-Evil: <iframe src=javascript:alert(4)>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html

<script>parent.document.title='taken'</script><img src=http://evil.test/x onerror=alert(5)><a href="javascript:alert(6)">x</a>
--b
Content-Type: image/svg+xml; name="</td><script>alert(7)</script>.svg"

<svg xmlns="http://www.w3.org/2000/svg" onload="alert(8)"/>
--b
Content-Type: application/xhtml+xml
Content-Disposition: attachment; filename="../../a\"b.html"

<script>alert(9)</script>
--b--
`

// A mail of a stranger is shown, and does nothing: no page has its tags, and its parts come as what can do no harm.
func TestHostileMail(t *testing.T) {
	c, d := newDesk(t, Options{})
	send(t, c, "x@evil.test", "jane@example.test", hostile)
	list, _ := asJSON[mailList](t, d, "/mails", nil)
	id := list.Mails[0].ID
	for _, path := range []string{"/", "/mails", "/mails?q=<script>", "/mails/" + id} {
		body := ask(d, path, nil).Body.String()
		for _, bad := range []string{"<script>alert", "<img", "<iframe src=javascript", `href="javascript`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
	d.publish()
	for part, want := range map[string]string{"1": "text/html; charset=utf-8", "2": "application/octet-stream", "3": "application/octet-stream"} {
		w := ask(d, "/mails/"+id+"/parts/"+part, nil)
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Type") != want || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox; default-src 'none';") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("part %s: got %d %v", part, w.Code, h)
		}
		if saved := strings.HasPrefix(h.Get("Content-Disposition"), "attachment"); saved != (part != "1") || strings.Contains(h.Get("Content-Disposition"), "/") {
			t.Errorf("part %s: Content-Disposition %q", part, h.Get("Content-Disposition"))
		}
	}
	if m, _ := asJSON[mailPage](t, d, "/mails/"+id, nil); m.Subject != `<script>alert(1)</script> "><img src=x onerror=alert(2)>` || len(m.Links) != 0 {
		t.Errorf("the API tells it as it is: got %q, links %q", m.Subject, m.Links)
	}
}

// The frame loads nothing, so images of the mail are put into it.
func TestInlined(t *testing.T) {
	parts := []mxtest.Part{
		{Type: "image/png", ContentID: "logo@shop.test", Content: []byte("png")},
		{Type: "image/svg+xml", ContentID: "evil@shop.test", Content: []byte("<svg>")},
		{Type: "image/png", ContentID: "big@shop.test", Content: make([]byte, mostInlined)},
	}
	got := inlined(`<img src="cid:logo@shop.test"><img src="cid:evil@shop.test"><img src="cid:big@shop.test">`, parts)
	if want := `<img src="data:image/png;base64,cG5n"><img src="cid:evil@shop.test"><img src="cid:big@shop.test">`; got != want {
		t.Errorf("got %.200s", got)
	}
}

// The plots show what happened in which step, and stay what they were as time goes on.
func TestPast(t *testing.T) {
	var p past
	start := time.Unix(1e9, 0)
	at := func(second int) moment {
		return moment{start.Add(time.Duration(second) * time.Second), mxtest.Counts{Accepted: 10 * second, Queued: second, AtGraveyard: 1}}
	}
	for second := range 1000 {
		p.moments, p.total = append(p.moments, at(second)), p.total+1
		if len(p.moments) > remembered+1 {
			p.moments = p.moments[1:]
		}
		flow, queues := p.plots()
		for _, v := range flow.Series[0].Values {
			if v == v && v != 10 {
				t.Fatalf("after %d s: %v accepted a second, want 10", second, v)
			}
		}
		n := len(queues.Series[0].Values)
		if want := min(remembered, max(least, (second+step-1)/step*step)) / step; n != want {
			t.Fatalf("after %d s: %d steps, want %d", second, n, want)
		}
		// A step ends every fifth second, whenever one looks: 1 of its mails is at a graveyard.
		if last, want := queues.Series[0].Values[n-1], float64(p.total-p.total%step-2); second > 2*step && last != want {
			t.Fatalf("after %d s: the last step ends at %v, want %v", second, last, want)
		}
	}
	if flow, _ := p.plots(); flow.From != "10 min ago" {
		t.Errorf("got %q", flow.From)
	}
}

// The table of destinations is bounded; what is scripted stays in sight, and what gets much mail.
func TestManyDestinations(t *testing.T) {
	c, d := newDesk(t, Options{})
	for n := range 300 {
		c.Destination(fmt.Sprintf("d%d.test", n))
	}
	c.Destination("full.test").Reject(mxtest.AtRcpt, "452 4.2.2 full")
	send(t, c, "b@app.test", "jane@busy.test", "Subject: x\n\nx\n")
	s, _ := asJSON[snapshot](t, d, "/", nil)
	if len(s.Destinations) != mostDestinations || s.Others != 302-mostDestinations || s.Destinations[0].Domain != "full.test" || s.Destinations[1].Domain != "busy.test" {
		t.Errorf("got %d and %d others, first %+v", len(s.Destinations), s.Others, s.Destinations[:2])
	}
	if s.Destinations[1].Delivered != 1 || s.Counts.Delivered != 1 {
		t.Errorf("got %+v, %+v", s.Destinations[1], s.Counts)
	}
}

// What the clients are told is where the relays are.
func TestConnect(t *testing.T) {
	c, d := newDesk(t, Options{})
	list, _ := asJSON[[]snippet](t, d, "/connect", nil)
	if len(list) != 5 {
		t.Fatalf("got %d", len(list))
	}
	_, port, _ := strings.Cut(c.Primary(0).ListenAddr(), ":")
	for _, s := range list {
		if !strings.Contains(s.Code, port) || strings.Contains(s.Code, "%!") {
			t.Errorf("%s: got %s", s.ID, s.Code)
		}
	}
	if w := ask(d, "/ca.pem", nil); w.Body.String() != string(c.CA()) || !strings.Contains(w.Header().Get("Content-Disposition"), "ca.pem") {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	ask(d, "/dns", url.Values{"name": {"S1._domainkey.shop.test"}, "text": {"v=DKIM1; p=x"}})
	if body := ask(d, "/api", nil).Body.String(); !strings.Contains(body, "http://localhost:2580/mails?to=") || !strings.Contains(body, "cluster.Primary(0).BlackHole()") {
		t.Errorf("got %s", body)
	}
}
