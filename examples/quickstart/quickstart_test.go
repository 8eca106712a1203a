package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"os"
	"path/filepath"
)

func TestQuickstart(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-json", "-n", "300"}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Submitted < 300 || got.Lost != 0 || got.Duplicates != 0 || got.Bounced == 0 || got.Decoded != got.Bounced || got.AtGraveyard == 0 {
		t.Errorf("got %+v", got)
	}
	if got.Relays["p1.relays.shop.test"] == 0 || got.Relays["p2.relays.shop.test"] <= got.Relays["p1.relays.shop.test"] {
		t.Errorf("relays %v: the one that stays should have taken more than the one that was switched off", got.Relays)
	}
}

func TestTables(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-n", "40"}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accepted by", "p1.relays.shop.test", "ledger: nothing lost, no duplicates"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the output:\n%s", want, out.String())
		}
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct{ name, flag, text, want string }{
		{"a line short of a field", "-csv", "1,Anna,anna@a.test\n2,ben@a.test\n", "line 2"},
		{"no number", "-csv", "x,Anna,anna@a.test\n", `the id "x" is not a number`},
		{"no address", "-csv", "1,Anna,anna\n", "line 1: the third field is not a plain address"},
		{"line break in an address", "-csv", "1,Anna,\"anna@a.test\r\nBcc: x@a.test\"\n", "line 1: the third field is not a plain address"},
		{"twice the same", "-csv", "1,Anna,anna@a.test\n2,Anna,anna@a.test\n", "line 2: the same address as in line 1"},
		{"empty file", "-csv", "", "no recipients"},
		{"empty line only", "-csv", "\n\n", "no recipients"},
		{"no From", "-eml", "Subject: x\n\nhello\n", "has no From field"},
		{"no mail", "-eml", "hello", "not a mail"},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := run(t.Context(), []string{test.flag, file(string(rune('a'+i)), test.text)}, t.Output(), t.Output())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// Sending through real relays is tested where there are some, in examples/postfix.
func TestRelayFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-ca", file}, "-ca goes with -relays"},
		{[]string{"-wait", "1s"}, "-wait goes with -relays"},
		{[]string{"-relays", "relays.shop.test", "-wait", "-1s"}, "-wait must not be negative"},
		{[]string{"-relays", "relays.shop.test", "-ca", file + "x"}, "-ca: open"},
		{[]string{"-relays", "relays.shop.test", "-ca", file}, "-ca: " + file + " holds no certificate"},
		{[]string{"-relays", "relays.shop.test", "-key", file}, "-key: "},
		{[]string{"-relays", "relays.shop.test", "-back", "192.0.2.1"}, "-back: listen tcp 192.0.2.1:2424"},
		{[]string{"-relays", "no domain"}, "Domain"},
	} {
		if err := run(t.Context(), append(test.args, "-n", "1"), t.Output(), t.Output()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want an error with %q", test.args, err, test.want)
		}
	}
}
