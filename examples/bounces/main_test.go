package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	notice  = report("jane@example.net", "5.1.1", "smtp; 550 5.1.1 User unknown")
	expired = report("john@example.net", "4.4.1", "X-Postfix; connect to mx.example.net[192.0.2.1]:25: Connection timed out")
)

func report(recipient, status, diagnostic string) string {
	return `From: MAILER-DAEMON@relay.example
To: b@bounce.example.com
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; ` + recipient + `
Action: failed
Status: ` + status + `
Diagnostic-Code: ` + diagnostic + `
--x--
`
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJSON(t *testing.T) {
	dir := t.TempDir()
	eml := write(t, dir, "one.eml", notice)
	mbox := write(t, dir, "two.mbox", "From MAILER-DAEMON Thu Mar  5 00:00:00 2026\n"+notice+"\nFrom MAILER-DAEMON Thu Mar  5 00:00:01 2026\n"+expired)
	maildir := filepath.Join(dir, "maildir")
	write(t, maildir, "new/1.host", notice)
	write(t, maildir, "cur/2.host;2,S", expired)
	write(t, maildir, "tmp/3.host", notice)
	person := write(t, dir, "person.eml", "From: jane@example.net\nSubject: hello\n\nHello\n")

	var out bytes.Buffer
	if err := run(t.Context(), []string{"-json", eml, mbox, maildir, person}, &out); err != nil {
		t.Fatal(err)
	}
	var got []line
	for l := range strings.Lines(out.String()) {
		var x line
		if err := json.Unmarshal([]byte(l), &x); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		got = append(got, x)
	}
	failed := recipient{"jane@example.net", "failed", "5.1.1", 550, true, "mailbox-unknown"}
	expired := recipient{"john@example.net", "failed", "4.4.1", 0, false, "expired"} // given up is failed
	want := []line{
		{File: eml, Kind: "bounce", Recipients: []recipient{failed}},
		{File: mbox, Kind: "bounce", Recipients: []recipient{failed, expired}},
		{File: filepath.Join(maildir, "cur", "2.host;2,S"), Kind: "bounce", Recipients: []recipient{expired}},
		{File: filepath.Join(maildir, "new", "1.host"), Kind: "bounce", Recipients: []recipient{failed}},
		{File: person, Kind: "none", Recipients: []recipient{}},
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), out.String())
	}
	for i := range want {
		g, _ := json.Marshal(got[i])
		w, _ := json.Marshal(want[i])
		if !bytes.Equal(g, w) {
			t.Errorf("got  %s\nwant %s", g, w)
		}
	}
}

// TestLineEnds: an mbox is split whatever its lines end with.
func TestLineEnds(t *testing.T) {
	two := "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" + notice + "\nFrom MAILER-DAEMON Thu Jan  1 00:00:01 1970\n" + strings.ReplaceAll(notice, "jane@", "joan@")
	for _, end := range []string{"\n", "\r\n", "\r"} {
		mbox := write(t, t.TempDir(), "two.mbox", strings.ReplaceAll(two, "\n", end))
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-json", mbox}, &out); err != nil {
			t.Fatal(err)
		}
		var got line
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Recipients) != 2 || got.Recipients[0].Recipient != "jane@example.net" || got.Recipients[1].Recipient != "joan@example.net" {
			t.Errorf("lines ending with %q: %+v", end, got.Recipients)
		}
	}
}

func TestTable(t *testing.T) {
	eml := write(t, t.TempDir(), "one.eml", notice)
	var out bytes.Buffer
	if err := run(t.Context(), []string{eml}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RECIPIENT", "jane@example.net", "mailbox-unknown", "5.1.1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, out.String())
		}
	}
}

func TestNoArguments(t *testing.T) {
	if err := run(t.Context(), nil, new(bytes.Buffer)); err == nil {
		t.Error("no error")
	}
	if err := run(t.Context(), []string{"does-not-exist.eml"}, new(bytes.Buffer)); err == nil {
		t.Error("missing file: no error")
	}
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, stop := context.WithCancel(t.Context())
	var out buffer
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-listen", address, "-smtp"}, &out) }()
	for i := 0; !strings.Contains(out.String(), "return path: "); i++ {
		if i > 500 {
			t.Fatal("not listening")
		}
		time.Sleep(10 * time.Millisecond) // real sockets: nothing else to wait on
	}
	_, returnPath, _ := strings.Cut(strings.TrimSpace(out.String()), "return path: ")
	if err := smtp.SendMail(address, nil, "", []string{returnPath}, []byte(strings.ReplaceAll(notice, "\n", "\r\n"))); err != nil {
		t.Error(err)
	}
	if err := smtp.SendMail(address, nil, "", []string{"b+forged@bounce.example.com"}, []byte(notice)); err == nil {
		t.Error("a forged return path is accepted")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{`"verdict":"valid"`, `"id":"0000000000000001"`, `"suppress":true`, `"recipient":"jane@example.net"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}
