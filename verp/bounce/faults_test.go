package bounce

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/verp"
)

func TestFaults(t *testing.T) {
	t.Run("G3", faultReplay)
	t.Run("G4", faultUnsigned)
	t.Run("G5", faultBounds)
	t.Run("G12", faultFeedbackIsInert)
}

// faultReplay: the same bounce twice has one key, another report another.
func faultReplay(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode(verp.FromUint64(4711))
	otherPath, _ := codec.Encode(verp.FromUint64(4712))
	var e events
	c := start(t, &Receiver{Codec: codec, Handle: e.handle}, true)
	relayed := "Received: from a by b; Mon, 2 Mar 2026 00:00:00 +0000\r\n" + testNotice
	delayed := strings.NewReplacer("Action: failed", "Action: delayed", "5.1.1", "4.2.1", "550", "450").Replace(testNotice)
	for _, m := range []struct{ to, message string }{
		{returnPath, testNotice}, {returnPath, testNotice}, {returnPath, relayed}, {strings.ToUpper(returnPath), testNotice},
		{otherPath, testNotice}, {returnPath, delayed}, {returnPath, strings.Replace(testNotice, "one@", "two@", 1)},
	} {
		if err := submit(c, m.to, []byte(m.message)); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for _, ev := range e.got {
		keys = append(keys, ev.Key)
	}
	for i, name := range []string{"", "again", "over another host", "in upper case"} {
		if keys[i] != keys[0] {
			t.Errorf("the same bounce %s: key %s, want %s", name, keys[i], keys[0])
		}
	}
	for i, name := range map[int]string{4: "another recipient", 5: "a warning", 6: "another mail"} {
		if keys[i] == keys[0] {
			t.Errorf("%s has the same key", name)
		}
	}
	if keys[4] == keys[5] || keys[5] == keys[6] {
		t.Error("different events have the same key")
	}
}

// faultUnsigned: a forged DSN must never come out as Valid.
func faultUnsigned(t *testing.T) {
	codec := testCodec(t)
	plain, err := verp.EncodePlain("bounce@bounce.example.com", "jane@example.net", "+=")
	if err != nil {
		t.Fatal(err)
	}
	var e events
	c := start(t, &Receiver{
		Codec: codec, Handle: e.handle, Feedback: []string{"fbl@bounce.example.com"},
		Accept: func(a string) bool { return strings.HasPrefix(a, "bounce+") },
	}, true)
	for _, to := range []string{plain, "postmaster@bounce.example.com", "fbl@bounce.example.com"} {
		if err := submit(c, to, []byte(testNotice)); err != nil {
			t.Fatal(err)
		}
	}
	for _, ev := range e.got {
		if ev.Verdict != Unverified || ev.Token.ID != nil {
			t.Errorf("DSN to %s: verdict %v, token %x; want unverified and none", ev.Recipient, ev.Verdict, ev.Token.ID)
		}
	}
	if got := code(submit(c, "b+aaaaaaaaaaaaaaaaaaaaaaaaaa@bounce.example.com", []byte(testNotice))); got != 550 {
		t.Errorf("forged token: %d, want 550", got)
	}
	if len(e.got) != 3 {
		t.Errorf("%d events, want 3", len(e.got))
	}
}

// bombs are messages made to cost a parser more than they do their sender.
func bombs() map[string]func() string {
	const report = "From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Type: multipart/report; boundary=b\n\n"
	return map[string]func() string{
		"10,000 nested multiparts":    func() string { return nestedMultiparts(10_000) },
		"10,000 nested messages":      func() string { return report + strings.Repeat("--b\nContent-Type: message/rfc822\n\n", 10_000) },
		"a million boundary lines":    func() string { return report + strings.Repeat("--b\n", 1_000_000) },
		"a million boundary prefixes": func() string { return report + strings.Repeat("--bx\n", 1_000_000) },
		"boundary without lines":      func() string { return report + strings.Repeat("--b", 1_000_000) },
		"a header of 10 MB":           func() string { return "Subject: " + strings.Repeat("x", 10<<20) + "\n\nbody" },
		"a header of 10 MB in lines":  func() string { return strings.Repeat("X-A: b\n", 1_500_000) + "\nbody" },
		"a folded header of 10 MB":    func() string { return "Subject: x\n" + strings.Repeat(" folded\n", 1_400_000) + "\nbody" },
		"a million recipients": func() string {
			return report + "--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("Final-Recipient: rfc822; jane@example.net\nAction: failed\n\n", 1_000_000)
		},
		"a million recipients in text": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + strings.Repeat("<jane@example.net>: 550 user unknown\n", 1_000_000)
		},
		"many recipients in text": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + manyRecipients(100_000)
		},
		"a million failed recipients": func() string {
			return "From: MAILER-DAEMON@example.net\nX-Failed-Recipients: " + strings.Repeat("jane@example.net,\n ", 500_000) + "\n\nx"
		},
		"a million at signs": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + strings.Repeat("@", 1<<20)
		},
		"a million quotes and at signs": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + strings.Repeat("\"@", 1<<19)
		},
		"long words before at signs": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + strings.Repeat(strings.Repeat("a", 300)+"@", 3000)
		},
		"digits and dots": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n<jane@example.net>: " + strings.Repeat("5.1.", 1<<18)
		},
		"angle brackets": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Type: text/html\n\n" + strings.Repeat("<", 1<<20)
		},
		"open scripts": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Type: text/html\n\n" + strings.Repeat("<script>", 1<<17)
		},
		"open comments": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Type: text/html\n\n" + strings.Repeat("<!--", 1<<18)
		},
		"soft line breaks": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("= \t \t \t \t", 1<<17)
		},
		"base64 without end": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat("QUFB", 1<<19)
		},
		"encoded words": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: " + strings.Repeat("=?utf-8?q?a?= ", 100_000) + "\n\nbody"
		},
		"content type parameters": func() string {
			return "Content-Type: multipart/report" + strings.Repeat("; a=\"b", 10_000) + "\n\nbody"
		},
		"JSON without end": func() string { return "From: no-reply@sns.amazonaws.com\n\n{\"mail\":" + strings.Repeat("[", 1<<20) },
		"wild cards": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n<jane@example.net>: " + strings.Repeat("mailbox user account domain boite ", 40_000)
		},
		"nested bounces": func() string {
			var b strings.Builder
			b.WriteString("From: MAILER-DAEMON@example.net\nSubject: failure notice\nContent-Type: multipart/mixed; boundary=b\n\n")
			for range 100 {
				b.WriteString("--b\nContent-Type: message/rfc822\n\nFrom: MAILER-DAEMON@example.net\nSubject: failure notice\n\n")
				b.WriteString(strings.Repeat("It could not be delivered, and if not, <x@y.example> may.\n", 150))
			}
			return b.String()
		},
		"groups without an address": func() string {
			return report + "--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("Action: failed\n\n", 60_000)
		},
		"conditions": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n<jane@example.net>: " + strings.Repeat("if no such user does not exist, ", 30_000)
		},
		"transcript": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n<jane@example.net>:\n" + strings.Repeat("<<< 550 no\n", 90_000)
		},
		"empty lines":      func() string { return strings.Repeat("\n", 10<<20) },
		"carriage returns": func() string { return strings.Repeat("\r", 10<<20) },
		"header-like text": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + strings.Repeat("X-Y: z\n\n", 1<<17)
		},
		"half headers": func() string {
			return "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n" + strings.Repeat("From: a\nTo: b\n\n", 1<<16)
		},
	}
}

func nestedMultiparts(n int) string {
	var b strings.Builder
	b.WriteString("From: MAILER-DAEMON@example.net\nSubject: failure notice\n")
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	return b.String()
}

func manyRecipients(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<jane%d@example.net>: 550 user unknown\n", i)
	}
	return b.String()
}

// faultBounds parses bombs within 100 ms and 32 MB each. The race detector
// makes everything slower, so then only the memory counts.
func faultBounds(t *testing.T) {
	for name, build := range bombs() {
		for ending, with := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
			t.Run(name+" "+ending, func(t *testing.T) {
				message := strings.ReplaceAll(build(), "\n", with)
				best, alloc := time.Hour, uint64(0)
				var report *Report
				for range 5 { // the machine may be busy elsewhere
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					began := time.Now()
					r, err := Parse(io.MultiReader(strings.NewReader(message)))
					took := time.Since(began)
					runtime.ReadMemStats(&after)
					if err != nil {
						t.Fatal(err)
					}
					report, alloc = r, after.TotalAlloc-before.TotalAlloc
					if best = min(best, took); best < 100*time.Millisecond {
						break
					}
				}
				if best >= 100*time.Millisecond && !raceEnabled {
					t.Errorf("took %v, want less than 100 ms", best)
				}
				if alloc >= 32<<20 {
					t.Errorf("allocated %d MB, want less than 32", alloc>>20)
				}
				if len(report.Recipients) > maxRecipients {
					t.Errorf("%d recipients, want at most %d", len(report.Recipients), maxRecipients)
				}
				if len(message) > maxInput && !report.Truncated {
					t.Error("not marked Truncated")
				}
			})
		}
	}
}

// faultFeedbackIsInert: links in a complaint are not followed, and nothing is
// answered. The parser cannot reach the network: it is given a reader and
// returns a value. The test checks that the receiver opens no connection of
// its own, by counting those to the addresses the complaint names.
func faultFeedbackIsInert(t *testing.T) {
	trap := newTrap(t)
	complaint := strings.ReplaceAll(testComplaint, "TRAP", trap.address())
	var e events
	c := start(t, &Receiver{Codec: testCodec(t), Feedback: []string{"fbl@bounce.example.com"}, Handle: e.handle}, true)
	if err := submit(c, "fbl@bounce.example.com", []byte(complaint)); err != nil {
		t.Fatal(err)
	}
	if len(e.got) != 1 || e.got[0].Report.Kind != Complaint || e.got[0].Report.Original.ListUnsubscribe == "" {
		t.Fatalf("events %+v", e.got)
	}
	if n := trap.connections(); n != 0 {
		t.Errorf("%d connections to a link in the complaint", n)
	}
}

func TestHandleContext(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	r := &Receiver{Codec: codec, HandleTimeout: time.Millisecond, Handle: func(ctx context.Context, _ Event) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	c := start(t, r, false)
	if got := code(submit(c, returnPath, []byte(testNotice))); got != 451 {
		t.Errorf("Handle over its time: %d, want 451", got)
	}
}

func TestHandlePanics(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	c := start(t, &Receiver{Codec: codec, Handle: func(context.Context, Event) error { panic("bug") }}, true)
	if got := code(submit(c, returnPath, []byte(testNotice))); got != 451 {
		t.Errorf("Handle panics: %d, want 451", got)
	}
}
