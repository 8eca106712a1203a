package dkim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
)

func TestPrepareCompletes(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 3, 10, 20, 30, 0, time.FixedZone("", -5*3600)) }
	got, err := Prepare([]byte("From: Ann <ann@example.org>\nBcc: eve@example.net,\n joe@example.net\nX-A : 1\nReturn-Path: <>\nContent-Length: 9\n\nhello\n"),
		PrepareOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`Message-ID: <([A-Z2-7]{26})@example\.org>`)
	if !id.Match(got) {
		t.Errorf("no Message-ID in %q", got)
	}
	want := "From: Ann <ann@example.org>\r\nX-A: 1\r\nDate: Tue, 03 Nov 2026 10:20:30 -0500\r\n" +
		"Message-ID: <x@example.org>\r\nMIME-Version: 1.0\r\n\r\nhello\r\n"
	if got := id.ReplaceAllString(string(got), "Message-ID: <x@example.org>"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s := testSigner(t, nil)
	verify(t, s, sign(t, s, string(got)))
}

func TestPrepareLeavesAlone(t *testing.T) {
	mail := []byte("MIME-Version: 1.0\r\n" + simpleMail)
	for _, encode := range []bool{false, true} {
		got, err := Prepare(mail, PrepareOptions{Encode: encode})
		if err != nil {
			t.Fatal(err)
		}
		if &got[0] != &mail[0] {
			t.Errorf("Encode %v: copied without need", encode)
		}
	}
}

func TestPrepareEndsHeader(t *testing.T) {
	s := testSigner(t, nil)
	head, _, _ := strings.Cut(simpleMail, "\r\n\r\n")
	for _, end := range []string{"", "\n", "\r\n", "\n\n"} {
		got, err := Prepare([]byte(head+end), PrepareOptions{})
		if err != nil {
			t.Errorf("header ended by %q: %v", end, err)
		} else if !bytes.HasSuffix(got, []byte("\r\n\r\n")) {
			t.Errorf("header ended by %q: got %q", end, got)
		} else {
			verify(t, s, sign(t, s, string(got)))
		}
	}
}

func TestPrepareMessageIDDomain(t *testing.T) {
	for _, c := range []struct {
		from, domain, want string
		err                bool
	}{
		{"a@example.org", "", "@example.org>", false},
		{"a@example.org", "id.example.net", "@id.example.net>", false},
		{"a@bücher.example", "", "@xn--bcher-kva.example>", false},
		{"a@example.org", "no domain>", "", true},
		{"a", "", "", true},
		{"a", "example.net", "@example.net>", false},
	} {
		got, err := Prepare([]byte("From: "+c.from+"\r\n\r\n"), PrepareOptions{MessageIDDomain: c.domain})
		if (err != nil) != c.err || !bytes.Contains(got, []byte(c.want)) {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		mail string
		want error
	}{
		"bare CR in the header": {"From: a@example.org\r\nX: a\rb\r\n\r\n", ErrRefused},
		"NUL in the header":     {"From: a@example.org\r\nX: \x00\r\n\r\n", ErrRefused},
		"no field":              {"hello\r\n\r\n", ErrRefused},
		"8-bit in a signed part": {"From: a@example.org\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\r\n--b\r\n\r\nsig\r\n--b--\r\n",
			ErrSealedPart},
		"multipart without boundary": {"From: a@example.org\r\nContent-Type: multipart/mixed\r\n\r\n\xe4\r\n", ErrMIME},
		"boundary not found":         {"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\xe4\r\n", ErrMIME},
		"unknown encoding":           {"From: a@example.org\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n\xe4\r\n", ErrMIME},
		"base64 that is not":         {"From: a@example.org\r\nContent-Transfer-Encoding: base64\r\n\r\n\xe4\r\n", ErrMIME},
		"too deep": {"From: a@example.org\r\n" + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", maxDepth+2) + "\r\n\xe4\r\n",
			ErrMIME},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Prepare([]byte(c.mail), PrepareOptions{Encode: true}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// leaves returns the decoded content of all parts, and their types.
func leaves(t *testing.T, content []byte) []string {
	t.Helper()
	e, err := message.Read(bytes.NewReader(content))
	if err != nil && !message.IsUnknownCharset(err) {
		t.Fatal(err)
	}
	var all []string
	err = e.Walk(func(path []int, e *message.Entity, err error) error {
		if err != nil && !message.IsUnknownCharset(err) {
			return err
		}
		if kind, _, _ := e.Header.ContentType(); strings.HasPrefix(kind, "multipart/") {
			return nil
		}
		body, err := io.ReadAll(e.Body)
		if e.Header.Get("Content-Type") == "message/rfc822" {
			all = append(all, leaves(t, body)...)
			return err
		}
		all = append(all, e.Header.Get("Content-Type")+"\n"+string(body))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const head8bit = "From: Ann <ann@example.org>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"

// TestPrepareEncodes reads every mail before and after with another implementation: the parts must
// hold the same, and nothing in the body may be left for a relay to encode.
func TestPrepareEncodes(t *testing.T) {
	long := strings.Repeat("a long line = of text, ", 60)
	for _, c := range []struct {
		name, mail string
		has        []string
	}{
		{"8-bit text", head8bit + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße \r\n.\r\nFrom x\r\n",
			[]string{"Content-Transfer-Encoding: quoted-printable\r\n", "Gr=C3=BC=C3=9Fe=20\r\n=2E\r\n=46rom x\r\n"}},
		{"long lines", head8bit + "Content-Type: text/html\r\n\r\n" + long + "\r\n" + long, []string{"quoted-printable"}},
		{"no type, no encoding", head8bit + "\r\n\xe4\xf6\r\n", []string{"quoted-printable", "=E4=F6\r\n"}},
		{"image", head8bit + "Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n\x1a\x00" + strings.Repeat("\xff", 200),
			[]string{"Content-Transfer-Encoding: base64\r\n"}},
		{"base64 in one line", head8bit + "Content-Type: application/pdf\r\nContent-Transfer-Encoding: BASE64\r\n\r\n" + strings.Repeat("QUJD", 500) + "\r\n",
			[]string{"Content-Transfer-Encoding: BASE64\r\n"}},
		{"quoted-printable in one line", head8bit + "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("a=3D", 500) + "\r\n",
			[]string{"Content-Transfer-Encoding: quoted-printable\r\n"}},
		{"quoted-printable of a file", head8bit + "Content-Type: application/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=00=FF", 500) + "\r\n",
			[]string{"Content-Transfer-Encoding: base64\r\n"}},
		{"multipart", head8bit + "Content-Type: multipart/mixed;\r\n boundary=\"b 1\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npreamble \xff\r\n--b 1\r\n" +
			"Content-Type: text/plain; charset=utf-8\r\n\r\nä\r\n\r\n--b 1 \r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\n\r\nplain\r\n--b2\r\n" +
			"Content-Type: text/html\r\n\r\n" + long + "\r\n--b2--\r\n--b 1\r\nContent-Type: image/gif\r\n\r\n\xff\xfe\r\n--b 1--\r\nepilogue \xff\r\n",
			[]string{"Content-Transfer-Encoding: 7bit\r\n", "quoted-printable", "base64", "\r\n\r\nplain\r\n--b2\r\n"}},
		{"attached mail", head8bit + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
			"Subject: inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nä\r\n--b--\r\n",
			[]string{"Content-Transfer-Encoding: 7bit\r\n", "Subject: inner\r\n", "=C3=A4"}},
		{"part without header", head8bit + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nä\r\n--b--\r\n", []string{"=C3=A4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Prepare([]byte(c.mail), PrepareOptions{Encode: true})
			if err != nil {
				t.Fatal(err)
			}
			if needsEncoding(got) {
				t.Errorf("needs encoding still: %q", got)
			}
			for _, want := range c.has {
				if !bytes.Contains(got, []byte(want)) {
					t.Errorf("%q is not in %q", want, got)
				}
			}
			before, after := leaves(t, []byte(c.mail)), leaves(t, got)
			if len(before) != len(after) {
				t.Fatalf("%d parts became %d", len(before), len(after))
			}
			for i := range before {
				if strings.TrimRight(before[i], "\r\n") != strings.TrimRight(after[i], "\r\n") {
					t.Errorf("part %d: %q became %q", i, before[i], after[i])
				}
			}
			s := testSigner(t, nil)
			fields, err := s.Sign(context.Background(), got)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(append(fields, got...)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPrepareFoldsHeaders(t *testing.T) {
	mail := head8bit + "References: " + strings.Repeat("<0123456789@example.org> ", 100) + "\r\nSubject: " + strings.Repeat("x", 980) + " y z\r\n\r\n"
	got, err := Prepare([]byte(mail), PrepareOptions{Encode: true})
	if err != nil {
		t.Fatal(err)
	}
	unfold := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n ", " "), " \r\n", "\r\n") }
	if unfold(string(got)) != unfold(mail) {
		t.Errorf("got %q", got)
	}
	for line := range strings.SplitSeq(string(got), "\r\n") {
		if len(line) > maxLine || line != "" && strings.Trim(line, " ") == "" {
			t.Errorf("bad line %q", line)
		}
	}
	s := testSigner(t, nil)
	verify(t, s, sign(t, s, string(got)))
}

func TestQuotedPrintable(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"nothing":        {"", ""},
		"equals":         {"a=b", "a=3Db"},
		"blanks at ends": {"a \r\nb\t\r\n ", "a=20\r\nb=09\r\n=20"},
		"bare CR and LF": {"a\rb\nc", "a=0Db=0Ac"},
		"dots and From":  {".a\r\nFrom b\r\nFromage", "=2Ea\r\n=46rom b\r\nFromage"},
		"76 fit":         {strings.Repeat("x", 76), strings.Repeat("x", 76)},
		"77 do not":      {strings.Repeat("x", 77), strings.Repeat("x", 75) + "=\r\nxx"},
		"encoded at end": {strings.Repeat("x", 74) + "\xff", strings.Repeat("x", 74) + "=\r\n=FF"},
		"dot after soft": {strings.Repeat("x", 75) + ".y", strings.Repeat("x", 75) + "=\r\n=2Ey"},
	} {
		if got := string(appendQuotedPrintable(nil, []byte(c.body))); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
