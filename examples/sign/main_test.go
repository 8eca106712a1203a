package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/dkim"
)

const mail = "From: ann@example.org\nTo: bob@example.net\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\n\nhello\n"

func keyFile(t *testing.T, a dkim.Algorithm) (path string, signer func(selector string) dkim.Key) {
	t.Helper()
	key, err := dkim.GenerateKey(a)
	if err != nil {
		t.Fatal(err)
	}
	text, err := dkim.MarshalKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func(selector string) dkim.Key { return dkim.Key{Selector: selector, Signer: key} }
}

func TestSign(t *testing.T) {
	rsaPath, rsaKey := keyFile(t, dkim.RSA2048)
	edPath, edKey := keyFile(t, dkim.Ed25519)
	both := []string{"-domain", "example.org", "-selector", "r", "-key", rsaPath, "-key", edPath, "-selector", "e"}
	open := filepath.Join(t.TempDir(), "open.pem")
	if err := os.WriteFile(open, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, in string
		args     []string
		status   int
		report   string // in it
	}{
		{"signed", mail, both, exitOK, ""},
		{"one key", mail, both[:6], exitOK, ""},
		{"refused", strings.Replace(mail, "Date:", "X-Date:", 1), both, exitRefused, "no Date field"},
		{"bare CR", mail + "a\rb\n", both, exitRefused, "bare CR in line 7"},
		{"mended", strings.Replace(mail, "Date:", "Bcc:", 1), append([]string{"-prepare"}, both...), exitOK, ""},
		{"key without selector", mail, both[:8], exitFailed, "selector"},
		{"no key", mail, both[:4], exitFailed, "-key"},
		{"no such file", mail, []string{"-domain", "example.org", "-selector", "s", "-key", "none.pem"}, exitFailed, "none.pem"},
		{"readable by others", mail, []string{"-domain", "example.org", "-selector", "s", "-key", open}, exitFailed, ""},
		{"unknown flag", mail, []string{"-x"}, exitFailed, "-x"},
		{"an argument", mail, append(both, "in.eml"), exitFailed, "standard input"},
		{"help", mail, []string{"-h"}, exitOK, "-record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, report bytes.Buffer
			status := run(c.args, strings.NewReader(c.in), &out, &report)
			if status != c.status || !strings.Contains(report.String(), c.report) {
				t.Fatalf("got status %d, %q; want %d, with %q", status, report.String(), c.status, c.report)
			}
			if status != exitOK && out.Len() > 0 {
				t.Errorf("wrote %q in spite of the failure", out.String())
			}
			if status != exitOK || c.name == "help" {
				return
			}
			keys := []dkim.Key{rsaKey("r"), edKey("e")}
			if c.name == "one key" {
				keys = keys[:1]
			}
			signer, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			if err := signer.Verify(out.Bytes()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	rsaPath, rsaKey := keyFile(t, dkim.RSA2048)
	edPath, edKey := keyFile(t, dkim.Ed25519)
	var out, report bytes.Buffer
	if status := run([]string{"-record", "-domain", "Example.org", "-selector", "r", "-key", rsaPath, "-selector", "e", "-key", edPath},
		nil, &out, &report); status != exitOK {
		t.Fatalf("got status %d: %s", status, report.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	quoted := regexp.MustCompile(`"([^"]*)"`)
	for i, want := range []dkim.Key{rsaKey("r"), edKey("e")} {
		if !strings.HasPrefix(lines[i], want.Selector+"._domainkey.example.org. IN TXT ") {
			t.Errorf("got %q", lines[i])
		}
		joined := ""
		for _, m := range quoted.FindAllStringSubmatch(lines[i], -1) {
			if len(m[1]) > 255 {
				t.Errorf("a string of %d octets", len(m[1]))
			}
			joined += m[1]
		}
		record, err := dkim.Record(want.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		if joined != record {
			t.Errorf("got %q, want %q", joined, record)
		}
	}
}

func TestOthersMayNotRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	path, _ := keyFile(t, dkim.Ed25519)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	var out, report bytes.Buffer
	if status := run([]string{"-domain", "example.org", "-selector", "s", "-key", path}, strings.NewReader(mail), &out, &report); status != exitFailed || !strings.Contains(report.String(), "0640") {
		t.Errorf("got status %d, %q", status, report.String())
	}
}
