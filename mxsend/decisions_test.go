package mxsend

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

var discard = slog.New(slog.DiscardHandler)

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		stage Stage
		reply string
		want  disposition
		blame blame
	}{
		{StageMail, "421 4.3.2", elsewhere, blameRelay},
		{StageRecipient, "421 4.3.2", elsewhere, blameRelay},
		{StageFinalDot, "421 4.3.2", elsewhere, blameRelay},
		{StageMail, "450 4.1.8", elsewhere, blameRefusal},
		{StageMail, "451 4.3.0", elsewhere, blameRelay},
		{StageMail, "452 4.3.1", elsewhere, blameRelay},
		{StageMail, "452", elsewhere, blameRelay},
		{StageMail, "451", elsewhere, blameNobody},
		{StageData, "451 4.4.1", elsewhere, blameRelay},
		{StageFinalDot, "451 4.7.1", elsewhere, blameNobody},
		{StageRecipient, "450 4.2.0", afterPause, blameNobody},
		{StageRecipient, "450 4.3.0", elsewhere, blameRelay},
		{StageRecipient, "452", elsewhere, blameRelay},
		{StageRecipient, "452 4.5.3", afterPause, blameNobody},
		{StageRecipient, "552", afterPause, blameNobody},
		{StageRecipient, "552 5.5.3", afterPause, blameNobody},
		{StageRecipient, "552 5.2.2", settled, blameNobody},
		{StageRecipient, "550 5.1.1", settled, blameNobody},
		{StageRecipient, "550", settled, blameNobody},
		{StageRecipient, "550 5.7.1", confirm, blameRefusal},
		{StageRecipient, "554 5.7.1", confirm, blameRefusal},
		{StageRecipient, "554", confirm, blameRefusal},
		{StageRecipient, "554 5.1.1", settled, blameNobody},
		{StageMail, "530 5.7.0", hold, blameRefusal},
		{StageMail, "530", hold, blameRefusal},
		{StageMail, "538", hold, blameRefusal},
		{StageMail, "550 5.7.1", confirm, blameRefusal},
		{StageMail, "550 5.1.8", hold, blameRefusal},
		{StageMail, "501 5.1.7", confirm, blameRefusal},
		{StageMail, "550", confirm, blameRefusal},
		{StageMail, "552 5.3.4", settled, blameNobody},
		{StageMail, "554", confirm, blameRefusal},
		{StageMail, "552", settled, blameNobody},
		{StageFinalDot, "554 5.7.1", settled, blameNobody},
		{StageFinalDot, "550 5.6.0", settled, blameNobody},
		{StageData, "554 5.7.1", confirm, blameRefusal},
		{StageData, "554 5.6.0", settled, blameNobody},
		{StageFinalDot, "554 5.5.0", settled, blameNobody},
		{StageFinalDot, "554", settled, blameNobody},
		{StageMail, "503 5.5.1", elsewhere, blameRelay},
		{StageMail, "503", elsewhere, blameRelay},
		{StageRecipient, "503 5.5.1", elsewhere, blameRelay},
		{StageData, "554 5.5.0", elsewhere, blameRelay},
		{StageRecipient, "554 5.5.1", elsewhere, blameRelay},
	} {
		t.Run(fmt.Sprint(tt.stage, " ", tt.reply), func(t *testing.T) {
			r, err := smtpwire.NewReplyReader(strings.NewReader(tt.reply + " text\r\n")).Next()
			if err != nil {
				t.Fatal(err)
			}
			v := judge(tt.stage, replyCode{code: r.Code, enhanced: r.Enhanced}, string(r.Text))
			if v.do != tt.want || v.blame != tt.blame {
				t.Errorf("got %v, %v; want %v, %v", v.do, v.blame, tt.want, tt.blame)
			}
		})
	}
}

// Only 5yz is ever final, and no relay-blaming reply is.
func TestJudgeAll(t *testing.T) {
	for _, stage := range []Stage{StageMail, StageRecipient, StageData, StageContent, StageFinalDot} {
		for code := 400; code < 600; code++ {
			for subject := range 9 {
				for detail := range 9 {
					v := judge(stage, replyCode{code: code, enhanced: smtpwire.EnhancedCode{code / 100, subject, detail}}, "")
					if v.do == settled && code < 500 {
						t.Fatalf("%d at %v is final", code, stage)
					}
					if v.blame == blameRelay && v.do != elsewhere {
						t.Fatalf("%d at %v blames the relay and is %v", code, stage, v.do)
					}
				}
			}
		}
	}
}

func TestMaskAddresses(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"Ok: queued as 4XyZ", "Ok: queued as 4XyZ"},
		{"<u1@example.test>: unknown", "<\u2026>: unknown"},
		{"u1@example.test unknown", "\u2026 unknown"},
		{"no u1@example.test, v2@example.test;w3@x", "no \u2026, \u2026;\u2026"},
		{`<"john doe"@example.test>: no`, "<\u2026>: no"},
		{`"a\"b c"@x.test no`, "\u2026 no"},
		{"@", "\u2026"},
		{"a@@b", "\u2026"},
		{"m\u00fcller@m\u00fcller.test no", "\u2026 no"},
		{"<u1@[10.0.0.1]> no", "<\u2026> no"},
		{"u1+b=example.com@app.test", "\u2026"},
		{"mailto:u1@example.test?x", "mailto:\u2026"},
		{"first\nu1@example.test\nlast", "first\n\u2026\nlast"},
	} {
		if got := maskAddresses(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestReplyString(t *testing.T) {
	cut := strings.Repeat("x", 480) + " <someone.with.a.long.name@example.test>"
	for _, tt := range []struct {
		r    Reply
		want string
	}{
		{Reply{}, "no reply"},
		{Reply{Code: 250}, "250"},
		{Reply{Code: 550, Enhanced: "5.1.1", Text: "<u1@x.test>: unknown"}, `550 5.1.1 "<…>: unknown"`},
		{Reply{Text: "250 2.0.0 Ok: que"}, `"250 2.0.0 Ok: que"`},
		{newReply(550, smtpwire.EnhancedCode{}, []byte(cut)), "550 \"" + strings.Repeat("x", 200) + "\""},
		{newReply(550, smtpwire.EnhancedCode{}, []byte(strings.Repeat("a@b.test ", 55)+"secretname@x.test")), ""},
	} {
		got := tt.r.String()
		if tt.want != "" && got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("a name cut off before its @ shows: %s", got)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if text := fmt.Sprintf(verb, tt.r); text != got {
				t.Errorf("%s: %s", verb, text)
			}
		}
	}
}

// FuzzMaskAddresses: nothing with an @ is left, and what has none is unchanged.
func FuzzMaskAddresses(f *testing.F) {
	for _, s := range []string{"<u1@x.test>", `"a b"@x`, `"\"@`, "@@", "a@b c@d", "\"@\"", "x\"@y\"z@", "\xff@\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := maskAddresses(s)
		if strings.Contains(got, "@") {
			t.Errorf("%q: %q", s, got)
		}
		if !strings.Contains(s, "@") && got != s {
			t.Errorf("%q became %q", s, got)
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q: %q is no UTF-8", s, got)
		}
		if again := maskAddresses(got); again != got {
			t.Errorf("%q, masked again: %q", got, again)
		}
		text := Reply{Code: 550, Text: "secretlocal@x.test " + s}.String()
		if strings.Contains(text, "secretlocal") {
			t.Errorf("%q", text)
		}
	})
}

func TestQueueID(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"Ok: queued as 4XyZ", "4XyZ"},
		{"Ok: queued as 4XyZ12abcd", "4XyZ12abcd"},
		{"OK id=1a2b3c-0004dE-12", "1a2b3c-0004dE-12"},
		{"Ok: queued as ABC.", "ABC"},
		{"Message accepted, queued as ABC; thanks", "ABC"},
		{"Ok (queued as ABC)", "ABC"},
		{"Ok", ""},
		{"", ""},
		{"queued as ", ""},
		{"first\nOk: queued as ABC\nlast", "ABC"},
	} {
		if got := queueID(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestMayBear(t *testing.T) {
	for _, tt := range []struct {
		name, domain string
		patterns     []string
		want         bool
	}{
		{"p1.relays.test", "relays.test", nil, true},
		{"relays.test", "relays.test", nil, true},
		{"a.b.relays.test", "Relays.Test.", nil, true},
		{"evilrelays.test", "relays.test", nil, false},
		{"relays.test.evil.test", "relays.test", nil, false},
		{"test", "relays.test", nil, false},
		{"anything.test", "", nil, true},
		{"p1.relays.test", "relays.test", []string{}, false},
		{"p1.relays.test", "", []string{"p1.relays.test"}, true},
		{"p1.relays.test", "", []string{"P1.Relays.Test."}, true},
		{"p1.relays.test", "", []string{"*.relays.test"}, true},
		{"a.p1.relays.test", "", []string{"*.relays.test"}, false},
		{"relays.test", "", []string{"*.relays.test"}, false},
		{".relays.test", "", []string{"*.relays.test"}, false},
		{"p1.relays.test", "", []string{"*"}, false},
		{"p1.relays.test", "", []string{"p*.relays.test"}, false},
	} {
		if got := mayBear(tt.name, tt.domain, tt.patterns); got != tt.want {
			t.Errorf("%q in %q with %q: %v", tt.name, tt.domain, tt.patterns, got)
		}
	}
}

func TestCheckFromField(t *testing.T) {
	for _, tt := range []struct{ name, content, err string }{
		{"one", "From: a\r\n\r\nx", ""},
		{"any case", "fROM : a\r\n\r\nx", ""},
		{"folded", "Subject: a\r\n From: b\r\nFrom: c\r\n\r\nx", ""},
		{"in the body", "From: a\r\n\r\nFrom: b\r\n", ""},
		{"no body", "From: a\r\n", ""},
		{"no line end", "From: a", ""},
		{"none", "Subject: a\r\n\r\nFrom: b\r\n", "no From"},
		{"two", "From: a\r\nFrom: b\r\n\r\n", "2 From"},
		{"similar", "From-X: a\r\nXFrom: a\r\n\r\n", "no From"},
		{"continuation first", " From: a\r\n\r\n", "continuation"},
		{"no field", "From: a\r\nfoo\r\n\r\n", "line 2"},
		{"mbox", "From a Mon Jan\r\nFrom: a\r\n\r\n", "line 1"},
		{"mbox with a colon", "From a 10:00\r\nFrom: a\r\n\r\n", "mbox"},
		{"empty name", ": a\r\n\r\n", "line 1"},
		{"empty", "\r\n", "no From"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := checkFrom([]byte(tt.content))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}
