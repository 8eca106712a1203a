package dkim

import (
	"bytes"
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// FuzzBodyHash puts a fixed header before any body, so that all that varies is canonicalised as body,
// and compares with go-msgauth by its verdict.
func FuzzBodyHash(f *testing.F) {
	for _, m := range oddMails(f) {
		_, body, _ := bytes.Cut(m, []byte("\r\n\r\n"))
		f.Add(body)
	}
	for _, body := range []string{"", "\r\n", " ", "a \t", "a\r\n \r\n", "\ta", strings.Repeat("a  b ", 150), "\x01 \x01  \x01\r\n"} {
		f.Add([]byte(body))
	}
	s := testSigner(f, func(c *Config) { c.Keys = c.Keys[1:] })
	head, _, _ := strings.Cut(simpleMail, "\r\n\r\n")
	f.Fuzz(func(t *testing.T, body []byte) {
		mail := append([]byte(head+"\r\n\r\n"), body...)
		fields, err := s.Sign(context.Background(), mail)
		if err == nil {
			err = s.Verify(append(fields, mail...))
		}
		var r *Refusal
		if err != nil && (!errors.As(err, &r) || r.Field != "") {
			t.Errorf("body %q: %v", body, err)
		}
	})
}

// FuzzSignVerify signs whatever is not refused, and go-msgauth must verify it, also with the body
// recognised and also where the relay delivers it with a final CRLF.
func FuzzSignVerify(f *testing.F) {
	for _, m := range oddMails(f) {
		f.Add(m)
	}
	f.Add([]byte(simpleMail))
	s := testSigner(f, func(c *Config) { c.Keys = c.Keys[1:]; c.AllowUnaligned = true })
	f.Fuzz(func(t *testing.T, content []byte) {
		before := bytes.Clone(content)
		var first []byte
		for i := range 3 {
			fields, err := s.Sign(context.Background(), content)
			if !bytes.Equal(content, before) {
				t.Fatal("Sign changed the content")
			}
			if err != nil {
				if !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("got %v, want a Refusal", err)
				}
				return
			}
			if i == 0 {
				first = fields
			}
			if _, got, _ := bytes.Cut(fields, []byte("bh=")); !bytes.Contains(first, got[:44]) {
				t.Fatal("the body hash changed when the body was recognised")
			}
		}
		signed := append(slices.Clip(first), content...)
		if err := s.Verify(signed); err != nil {
			t.Fatalf("%v\n%q", err, signed)
		}
		if !bytes.HasSuffix(signed, crlf) {
			if err := s.Verify(append(signed, crlf...)); err != nil {
				t.Fatalf("with a final CRLF: %v\n%q", err, signed)
			}
		}
	})
}

// FuzzTagList checks that a list that is read is read the same when written anew, and that a record
// that Check is content with is one that go-msgauth verifies with.
func FuzzTagList(f *testing.F) {
	record, err := Record(testKeys().ed.Public())
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", ";", "a=b", "a=b;", "a = b ; c=\r\n d; ", "v=DKIM1; p=", "a=1;a=2", "a", "=", "a=;b=",
		"1=2", "a_1=x=y", "h=sha256 : sha1", record} {
		f.Add(s)
	}
	_, after, _ := strings.Cut(record, "; ")
	s := testSigner(f, func(c *Config) { c.Keys = c.Keys[1:] })
	signed := sign(f, s, simpleMail)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseTagList(text)
		if err == nil {
			var b strings.Builder
			for _, tag := range list {
				b.WriteString(tag.name + "=" + tag.value + ";")
			}
			again, err := parseTagList(b.String())
			if err != nil || !slices.Equal(again, list) {
				t.Errorf("%q is read as %v, and written anew as %v, %v", text, list, again, err)
			}
		}
		for _, record := range []string{text, text + "; " + after, "v=DKIM1; " + text + after} {
			findings := judgeRecords([]string{record}, testKeys().ed.Public(), false)
			if len(findings) == 0 {
				t.Fatalf("no finding for %q", record)
			}
			if findings[0].severity != fine {
				continue
			}
			got, err := msgauth.VerifyWithOptions(strings.NewReader(signed), &msgauth.VerifyOptions{
				LookupTXT: func(string) ([]string, error) { return []string{record}, nil }})
			if err != nil || len(got) != 1 || got[0].Err != nil {
				t.Errorf("record %q is found good, but go-msgauth says %v, %v", record, err, got[0].Err)
			}
		}
	})
}

// FuzzFrom compares the domains found in From with those that net/mail finds.
func FuzzFrom(f *testing.F) {
	for _, s := range []string{"a@b", "A <a@b>", `"x@y" <a@b>, c@d`, "g: a@b, c@d;", "(x@y) a@b (c)", "<@r,@s:a@b>", "a@b@c",
		"A <a@b> c@d", "a@[1.2.3.4]", "a@ b", "a b@c", "<a@b", "a@b>", ",", "=?utf-8?q?a=40b?= <a@b>", "\"", "(", "a@\"b\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var got []string
		ok := eachFromDomain([]byte(value), func(d []byte) bool {
			got = append(got, string(d))
			return true
		})
		list, err := mail.ParseAddressList(value)
		if !ok || err != nil {
			return
		}
		var want []string
		for _, a := range list {
			want = append(want, a.Address[strings.LastIndexByte(a.Address, '@')+1:])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	})
}

// FuzzPrepare checks that what Prepare returns needs no more preparation, and that Sign refuses it for
// no reason that Prepare mends.
func FuzzPrepare(f *testing.F) {
	for _, m := range oddMails(f) {
		f.Add(m)
	}
	f.Add([]byte("From: a@example.org\nBcc: x@y\n\n" + strings.Repeat("x", 2000)))
	f.Add([]byte("From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npre\xff\r\n--b\r\n\r\n\xe4\r\n--b\r\nContent-Type: image/png\r\n\r\n\xff\x00\r\n--b--\r\npost\xff"))
	s := testSigner(f, func(c *Config) { c.Keys = c.Keys[1:]; c.AllowUnaligned = true })
	f.Fuzz(func(t *testing.T, content []byte) {
		before := bytes.Clone(content)
		got, err := Prepare(content, PrepareOptions{Encode: true})
		if !bytes.Equal(content, before) {
			t.Fatal("Prepare changed the content")
		}
		if err != nil {
			return
		}
		again, err := Prepare(got, PrepareOptions{Encode: true})
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("prepared again: %v\n%q\n%q", err, got, again)
		}
		fields, err := s.Sign(context.Background(), got)
		var r *Refusal
		if errors.As(err, &r) {
			switch r.Reason {
			case BareLF, NoEmptyLine, MissingDate, MissingMessageID, ForbiddenField, SpaceBeforeColon:
				t.Fatalf("refused after Prepare: %v\n%q", err, got)
			}
			return
		}
		if err := s.Verify(append(fields, got...)); err != nil {
			t.Fatalf("%v\n%q", err, got)
		}
	})
}
