package mxtest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// crlf writes lines as a mail has them.
func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n"))
}

const orderMail = `
From: =?utf-8?q?J=C3=B6rg's_Shop?= <shop@app.test>
To: jane@example.test
Subject: =?utf-8?q?Your_order_=E2=82=AC?=
 =?utf-8?q?_4711?=
X-Tag: one
X-Tag:
  two
  words
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Hello J=F6rg, your order is on its=
 way: see
https://shop.test/track/4711?a=3D1&b=3D2. Or (https://shop.test/help).
--a
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHRpdGxlPm5vPC90aXRsZT48c3R5bGU+eDwvc3R5bGU+PHA+SGVsbG8gSsO2cmcsPC9wPnlvdXIgPGI+b3I8L2I+ZGVyIGlzIG9uIGl0cyB3YXkgPGEgaHJlZj0iaHR0cHM6Ly9zaG9wLnRlc3QvdHJhY2svNDcxMT9hPTEmYW1wO2I9MiI+Y2xpY2s8L2E+PGEgaHJlZj0iamF2YXNjcmlwdDphbGVydCgxKSI+eDwvYT48aW1nIHNyYz0iaHR0cHM6Ly9zaG9wLnRlc3QvcGl4ZWwiPg==
--a--
--m
Content-Type: application/pdf; name="=?utf-8?q?Rechnung_=C3=84.pdf?="
Content-Disposition: attachment
Content-Transfer-Encoding: base64

JVBERi0=
--m
Content-Type: image/png
Content-Disposition: inline; filename=logo.png
Content-ID: <logo@app.test>

png
--m--
`

func TestParseMessage(t *testing.T) {
	m, err := mxtest.ParseMessage(crlf(orderMail))
	if err != nil {
		t.Fatal(err)
	}
	m.AssertSubject(t, "Your order € 4711")
	m.AssertHeader(t, "from", "Jörg's Shop <shop@app.test>")
	m.AssertHeader(t, "X-Tag", "one")
	m.AssertHeader(t, "X-Tag", "two words")
	if m.Header[5].Name != "MIME-Version" {
		t.Errorf("a name is as it is written: got %q", m.Header[5].Name)
	}
	m.AssertText(t, "Hello Jörg, your order is on its way")
	if want := []string{"https://shop.test/track/4711?a=1&b=2", "https://shop.test/help"}; !slices.Equal(m.Links, want) {
		t.Errorf("links: got %q, want %q", m.Links, want)
	}
	if got := m.AssertLink(t, "https://shop.test/track/"); got != "https://shop.test/track/4711?a=1&b=2" {
		t.Errorf("got link %q", got)
	}
	if p := m.AssertAttachment(t, "Rechnung Ä.pdf"); string(p.Content) != "%PDF-" || p.Type != "application/pdf" || p.Number != "2" {
		t.Errorf("got %+v", p)
	}
	if len(m.Attachments) != 1 {
		t.Errorf("an image that the HTML shows is no attachment: got %d", len(m.Attachments))
	}
	var numbers []string
	for _, p := range m.Parts {
		numbers = append(numbers, p.Number+" "+p.Type)
	}
	if want := []string{"1.1 text/plain", "1.2 text/html", "2 application/pdf", "3 image/png"}; !slices.Equal(numbers, want) {
		t.Errorf("parts: got %q, want %q", numbers, want)
	}
}

// Mails with mistakes are read as far as they can be, and the error says what is wrong.
func TestParseMessageBad(t *testing.T) {
	for _, tt := range []struct{ name, content, subject, text, err string }{
		{"empty", "", "", "", ""},
		{"no header", "hello\n", "", "", "reading a mail"},
		{"no body", "Subject: x\n\n", "x", "", ""},
		{"unknown charset", "Subject: x\nContent-Type: text/plain; charset=klingon\n\nnuqneH\n", "x", "nuqneH\n", "klingon"},
		{"unknown encoding", "Subject: x\nContent-Transfer-Encoding: rot13\n\nuryyb\n", "x", "uryyb\n", "rot13"},
		{"bad base64", "Subject: x\nContent-Transfer-Encoding: base64\n\n!!!!\n", "x", "", "illegal base64"},
		{"multipart without end", "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n", "x", "hello", "EOF"},
		{"bad encoded word", "Subject: =?utf-8?q?x\n\nhello\n", "=?utf-8?q?x", "hello\n", ""},
		{"8-bit without charset", "Subject: \xff\n\n\xff\n", "\uFFFD", "\uFFFD\n", ""},
		{"nested too deep", "Subject: x\n" + nested(100), "x", "", "nested more than 20 deep"},
		{"too many parts", "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n\n", 5000) + "--b--\n", "x", "", "more than 1000 parts"},
	} {
		m, err := mxtest.ParseMessage(crlf(tt.content))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.err)
		}
		if m.Subject != tt.subject || m.Text != tt.text {
			t.Errorf("%s: got subject %q, text %.100q", tt.name, m.Subject, m.Text)
		}
	}
}

// nested is a part so deep in multiparts.
func nested(depth int) string {
	if depth == 0 {
		return "\nhello\n"
	}
	return fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d.\n\n--b%d.\n%s--b%d.--\n", depth, depth, nested(depth-1), depth)
}

// Every assertion fails where it should, and says what there is.
func TestMessageAssertionsFail(t *testing.T) {
	m, err := mxtest.ParseMessage(crlf(orderMail))
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := mxtest.ParseMessage(crlf("Subject: x\nContent-Type: application/pdf\n\nx\n"))
	onlyText, _ := mxtest.ParseMessage(crlf(strings.Replace(orderMail, "Hello J=F6rg", "Bye J=F6rg", 1)))
	r := &recorder{TB: t}
	for _, tt := range []struct {
		name string
		do   func()
		want string
	}{
		{"subject", func() { m.AssertSubject(r, "Your order") }, `the subject is "Your order € 4711", not "Your order"`},
		{"text", func() { m.AssertText(r, "Goodbye") }, `the text does not say "Goodbye"; it says "Hello Jörg`},
		{"text without HTML", func() { onlyText.AssertText(r, "Bye Jörg") }, `the HTML does not say "Bye Jörg"`},
		{"what no reader sees", func() { m.AssertText(r, "no") }, `does not say "no"`},
		{"no text at all", func() { plain.AssertText(r, "x") }, "the mail has no text that could say"},
		{"header", func() { m.AssertHeader(r, "X-Tag", "three") }, `field X-Tag is ["one" "two words"], not "three"`},
		{"link", func() { m.AssertLink(r, "https://evil.test") }, `no link begins with "https://evil.test"; the links are ["https://shop.test/track`},
		{"script", func() { m.AssertLink(r, "javascript:") }, "no link begins"},
		{"attachment", func() { m.AssertAttachment(r, "invoice.pdf") }, `no attachment is named "invoice.pdf"; the attachments are ["Rechnung Ä.pdf"]`},
	} {
		if got := r.attempt(tt.do); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAssertOneMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		s := client(t, c, c.Primary(0))
		r := &recorder{TB: t}
		for n := range 3 {
			if got, want := r.attempt(func() { c.Ledger().AssertOneMail(r, "Jane@example.test").AssertSubject(t, "Your order") }), ""; n != 1 {
				want = fmt.Sprintf("Jane@example.test got %d mails, not one", n)
				if !strings.Contains(got, want) {
					t.Errorf("got %q, want %s", got, want)
				}
			} else if got != want {
				t.Errorf("got %q", got)
			}
			if err := send(s, "b@app.test", mail(fmt.Sprint(n), "jane@example.test"), "jane@example.test", "bob@example.test"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		m := c.Ledger().Inbox("bob@example.test")
		if len(m) != 3 || m[2].MessageID != "<2@app.test>" {
			t.Errorf("got %d mails", len(m))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, KeepContent: -1})
		if err := send(client(t, c, c.Primary(0)), "b@app.test", mail("x", "jane@example.test"), "jane@example.test"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r := &recorder{TB: t}
		if got := r.attempt(func() { c.Ledger().AssertOneMail(r, "jane@example.test") }); !strings.Contains(got, "Config.KeepContent") {
			t.Errorf("got %q", got)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	f.Add(crlf(orderMail))
	f.Add([]byte("Subject: x\r\nContent-Type: text/html\r\n\r\n<a href=' HTTP://x'><script><a href=\"http://y\">"))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, _ := mxtest.ParseMessage(content)
		if len(m.Parts) > 1000 || len(m.Attachments) > len(m.Parts) {
			t.Errorf("%d parts, %d attachments", len(m.Parts), len(m.Attachments))
		}
		if !utf8.ValidString(m.Subject + m.Text + m.HTML) {
			t.Error("not UTF-8")
		}
		seen := map[string]bool{}
		for _, link := range m.Links {
			scheme, _, _ := strings.Cut(strings.ToLower(link), ":")
			if seen[link] || !slices.Contains([]string{"http", "https", "mailto"}, scheme) {
				t.Errorf("link %q", link)
			}
			seen[link] = true
		}
	})
}

// What the mail says: its subject, text, links, attachments and fields, as its recipient sees them.
func ExampleLedger_AssertOneMail() {
	var t *testing.T            // the test's
	var cluster *mxtest.Cluster // of mxtest.NewCluster

	// … the application sends a confirmation to jane@example.test …
	if err := cluster.Ledger().WaitDelivered(t.Context(), "jane@example.test"); err != nil {
		t.Fatal(err)
	}
	m := cluster.Ledger().AssertOneMail(t, "jane@example.test")
	m.AssertSubject(t, "Confirm your address")
	m.AssertText(t, "Thank you for signing up")
	m.AssertHeader(t, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	m.AssertAttachment(t, "terms.pdf")
	confirm := m.AssertLink(t, "https://shop.test/confirm?token=")
	http.Get(confirm) // as a click would
}

// ParseMessage reads any mail; here, the links of its HTML.
func ExampleParseMessage() {
	m, err := mxtest.ParseMessage([]byte("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/html\r\n\r\n<a href='https://shop.test/'>Shop</a>"))
	fmt.Println(m.Subject, m.Links, err)
	// Output: Grüße [https://shop.test/] <nil>
}
