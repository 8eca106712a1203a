package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The program takes a mail from an ordinary client, obeys, and ends with the ledger.
func TestRelays(t *testing.T) {
	stdin, commands := io.Pipe()
	printed, stdout := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(t.Context(), []string{"-port", "27525", "-http", "127.0.0.1:0"}, stdin, stdout, io.Discard); err != nil {
			t.Error(err)
		}
		stdout.Close()
	})
	defer wg.Wait()
	lines := bufio.NewScanner(printed)
	until := func(what string) string {
		for lines.Scan() {
			if strings.Contains(lines.Text(), what) {
				return lines.Text()
			}
		}
		t.Fatalf("never printed %q", what)
		return ""
	}
	at := strings.Fields(until("p2.mail.test at "))
	desk := strings.Fields(until("the desk is at "))
	until("Commands on standard input")
	resp, err := http.Get(desk[len(desk)-1])
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(page), "unknown.test") {
		t.Errorf("the desk: got %s, %v", resp.Status, err)
	}
	client, err := smtp.Dial(at[len(at)-1])
	if err != nil {
		t.Fatal(err)
	}
	client.Mail("shop@app.test")
	client.Rcpt("jane@unknown.test")
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "Subject: hello\r\n\r\nhello\r\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	client.Quit()
	for _, step := range []struct{ command, want string }{
		{"stop p1", "stop p1.mail.test: done"},
		{"nonsense", "\"nonsense\" is none. Commands"},
		{"log p2", "C: RCPT TO:<jane@unknown.test>"},
		{"quit", "bounced  jane@unknown.test  p2.mail.test"},
	} {
		io.WriteString(commands, step.command+"\n")
		until(step.want)
	}
	for lines.Scan() {
	}
}

func TestBadConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "main.cf")
	if err := os.WriteFile(file, []byte("no_such = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-primary", file}, "no_such: no such parameter"},
		{[]string{"-port", "70000"}, "FirstPort 70000"},
		{[]string{"extra"}, `unknown argument "extra"`},
		{[]string{"-port", "27535", "-http", "nowhere"}, "the desk: listen tcp: address nowhere: missing port in address: choose another address with -http"},
		{[]string{"-port", "27535", "-http", "127.0.0.1:0", "-key", file + ".none"}, "no such file"},
		{[]string{"-port", "27535", "-http", "127.0.0.1:0", "-key", file}, "the secret of key 1 has 11 octets"},
	} {
		err := run(t.Context(), tt.args, &bytes.Buffer{}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.args, err, tt.want)
		}
	}
}
