package mxtest

import (
	"bytes"
	"strings"
	"testing"
)

func TestMessageIDOf(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"plain", "From: a\r\nMessage-ID: <x@y>\r\n\r\nbody", "<x@y>"},
		{"first line, any case", "MESSAGE-id:<x@y>\r\n\r\n", "<x@y>"},
		{"folded", "Message-ID:\r\n <x@y>\r\n\r\n", "<x@y>"},
		{"only in the body", "From: a\r\n\r\nMessage-ID: <x@y>\r\n", ""},
		{"bare LF", "From: a\nMessage-ID: <x@y>\n\nbody", "<x@y>"},
		{"no body", "Message-ID: <x@y>", "<x@y>"},
		{"none", "From: a\r\n\r\n", ""},
		{"empty", "", ""},
		{"empty field", "Message-ID:\r\n\r\n<x@y>", ""},
	} {
		if got := messageIDOf([]byte(tt.content)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestValidDomain(t *testing.T) {
	for name, want := range map[string]bool{
		"mail.test": true, "a-b.c_d.test": true, "xn--e1a.test": true,
		"": false, "test": false, "-a.test": false, "a-.test": false, "a..test": false, "a b.test": false, "a.test\r\n": false,
		strings.Repeat("a", 64) + ".test": false, strings.Repeat("a.", 130) + "test": false,
	} {
		if got := validDomain(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	var b bytes.Buffer
	text := strings.Repeat("word ", 40) + strings.Repeat("x", 100) + " end"
	fold(&b, text)
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\r\n"), "\r\n") {
		if len(line) > 79 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("line %d has %d octets and a space to break at: %q", i, len(line), line)
		}
		if i > 0 && !strings.HasPrefix(line, "    ") {
			t.Errorf("line %d does not continue the one before it: %q", i, line)
		}
	}
	if got := strings.Join(strings.Fields(b.String()), " "); got != text {
		t.Errorf("got %q", got)
	}
}

func TestNotify(t *testing.T) {
	for _, tt := range []struct {
		n                       notify
		success, failure, delay bool
	}{
		{0, false, true, true},
		{notifyGiven | notifyNever, false, false, false},
		{notifyGiven | notifySuccess, true, false, false},
		{notifyGiven | notifyFailure | notifyDelay, false, true, true},
	} {
		if s, f, d := tt.n.wants(notifySuccess), tt.n.wants(notifyFailure), tt.n.wants(notifyDelay); s != tt.success || f != tt.failure || d != tt.delay {
			t.Errorf("%05b: got %v %v %v", tt.n, s, f, d)
		}
	}
}
