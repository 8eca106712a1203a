package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRefusals(t *testing.T) {
	s := testSigner(t, nil)
	head, _, _ := strings.Cut(simpleMail, "\r\n\r\n")
	body := func(text string) string { return head + "\r\n\r\n" + text }
	with := func(fields string) string { return head + "\r\n" + fields + "\r\n\r\nbody\r\n" }
	from := func(value string) string { return "From: " + value + "\r\n" + without("From") }
	long := strings.Repeat("x", 999)
	for _, c := range []struct {
		name, mail string
		want       Refusal
	}{
		{"bare CR in the body", body("a\r\nb\rc\r\n"), Refusal{Reason: BareCR, Line: 8}},
		{"bare CR at the end", body("a\r"), Refusal{Reason: BareCR, Line: 7}},
		{"CR CR LF", body("a\r\r\n"), Refusal{Reason: BareCR, Line: 7}},
		{"bare CR in the header", with("X: a\rb"), Refusal{Reason: BareCR, Line: 6}},
		{"bare LF in the body", body("a\nb\r\n"), Refusal{Reason: BareLF, Line: 7}},
		{"bare LF in the header", "X: a\n" + simpleMail, Refusal{Reason: BareLF, Line: 1}},
		{"LF LF behind the header", head + "\n\nbody\n", Refusal{Reason: BareLF, Line: 5}},
		{"NUL in the body", body("a\x00b\r\n"), Refusal{Reason: NUL, Line: 7}},
		{"NUL in the header", with("X: \x00"), Refusal{Reason: NUL, Line: 6}},
		{"body line of 999", body("a\r\n" + long + "\r\n"), Refusal{Reason: LineTooLong, Line: 8}},
		{"last line of 999 without its end", body(long), Refusal{Reason: LineTooLong, Line: 7}},
		{"blank line of 999", body(strings.Repeat(" ", 999) + "\r\n"), Refusal{Reason: LineTooLong, Line: 7}},
		{"header line of 999", with("X: " + long[3:]), Refusal{Reason: LineTooLong, Line: 6}},
		{"continuation of 999", with("X: a\r\n " + long[1:]), Refusal{Reason: LineTooLong, Line: 7}},
		{"field over 100 KiB", with("X: a" + strings.Repeat("\r\n "+long[:900], 115)), Refusal{Reason: FieldTooLong, Line: 120}},
		{"no empty line", head + "\r\n", Refusal{Reason: NoEmptyLine}},
		{"header cut off", head, Refusal{Reason: NoEmptyLine, Line: 5}},
		{"nothing", "", Refusal{Reason: NoEmptyLine}},
		{"no header", "\r\nbody\r\n", Refusal{Reason: MissingFrom}},
		{"line without colon", with("no colon here"), Refusal{Reason: MalformedField, Line: 6}},
		{"mbox line before the header", "From ann@example.org Mon Nov 23 10:00:00 2026\r\n" + simpleMail, Refusal{Reason: MalformedField, Line: 1}},
		{"continuation first", " a\r\n" + simpleMail, Refusal{Reason: MalformedField, Line: 1}},
		{"no name", with(": value"), Refusal{Reason: MalformedField, Line: 6}},
		{"8-bit in a name", with("Ümlaut: value"), Refusal{Reason: MalformedField, Line: 6}},
		{"semicolon in a name", with("List-;: value"), Refusal{Reason: MalformedField, Line: 6}},
		{"space before the colon", with("X : value"), Refusal{Reason: SpaceBeforeColon}},
		{"From without address", from("Ann"), Refusal{Reason: MalformedFrom}},
		{"From empty", from(""), Refusal{Reason: MalformedFrom}},
		{"From with an unquoted @ in the name", from("ann@example.org <eve@example.org>"), Refusal{Reason: MalformedFrom}},
		{"From elsewhere", from("Ann <ann@example.net>"), Refusal{Reason: UnalignedFrom}},
		{"From that ends alike", from("<ann@notexample.org>"), Refusal{Reason: UnalignedFrom}},
		{"From of a suffix", from("<ann@rg>"), Refusal{Reason: UnalignedFrom}},
		{"From of the top-level domain", from("<ann@org>"), Refusal{Reason: UnalignedFrom}},
		{"second From address elsewhere", from("<ann@example.org>, <bob@example.net>"), Refusal{Reason: UnalignedFrom}},
		{"address in a comment", from("ann@example.net (ann@example.org)"), Refusal{Reason: UnalignedFrom}},
		{"one-click without List-Unsubscribe", with("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), Refusal{Reason: OneClickNoHTTPS}},
		{"one-click with mailto and http", with("List-Unsubscribe: <mailto:u@example.org>, <http://example.org/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"), Refusal{Reason: OneClickNoHTTPS}},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefusal(t, s, c.mail, c.want) })
	}
	t.Run("unquoted display name", func(t *testing.T) {
		for _, mail := range []string{from("Shop@Home <ann@example.org>"), from("Shop @ Home <ann@example.org>"), from("Ann, Shop <ann@example.org>")} {
			for _, signer := range []interface {
				Sign(context.Context, []byte) ([]byte, error)
			}{s, ByDomain(s)} {
				_, err := signer.Sign(context.Background(), []byte(mail))
				if err == nil || !strings.Contains(err.Error(), "put a display name that holds an at sign or a comma in quotation marks") {
					t.Errorf("%q: got %v", mail, err)
				}
			}
		}
		sign(t, s, from(`"Shop@Home, Ann" <ann@example.org>`))
	})
	t.Run("texts", func(t *testing.T) {
		for r := BareCR; r <= OneClickUnsigned; r++ {
			if text := (&Refusal{Reason: r}).Error(); strings.Contains(text, "reason ") || !strings.Contains(text, ": ") || reasonTexts[r][1] == "" {
				t.Errorf("reason %d has no text that says what to do: %s", r, text)
			}
		}
	})
	for name, mail := range map[string]string{
		"body lines of 998":    body(long[1:] + "\r\n" + long[1:]),
		"one-click with https": with("List-Unsubscribe: <mailto:u@example.org>,\r\n <HTTPS://example.org/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"),
		"From below":           from("<ann@news.example.org>"),
	} {
		t.Run(name, func(t *testing.T) { verify(t, s, sign(t, s, mail)) })
	}
}

func TestFromAboveSigningDomain(t *testing.T) {
	s := testSigner(t, func(c *Config) { c.Domain = "mail.example.org" })
	verify(t, s, sign(t, s, simpleMail))
	wantRefusal(t, s, "From: a@other.example.org\r\n"+without("From"), Refusal{Reason: UnalignedFrom})
}

// TestRelaysMayFold changes the fields the way relays do: unfolded, folded anew, tabs for blanks.
func TestRelaysMayFold(t *testing.T) {
	s := testSigner(t, nil)
	fields, err := s.Sign(context.Background(), []byte(simpleMail))
	if err != nil {
		t.Fatal(err)
	}
	for name, relay := range map[string]*strings.Replacer{
		"unfolds":          strings.NewReplacer("\r\n\t", "\t"),
		"folds with blank": strings.NewReplacer("\r\n\t", "\r\n        "),
		"folds everywhere": strings.NewReplacer(" ", "\r\n ", "\r\n\t", "\r\n \t "),
		"appends blanks":   strings.NewReplacer("\r\n", " \t\r\n"),
	} {
		t.Run(name, func(t *testing.T) { verify(t, s, relay.Replace(string(fields))+simpleMail) })
	}
}

// signedNames returns the names that the first signature covers.
func signedNames(t *testing.T, fields string) map[string]int {
	t.Helper()
	_, value, _ := strings.Cut(fields, ":")
	value, _, _ = strings.Cut(value, "b=")
	tags, err := parseTagList(strings.TrimSuffix(strings.TrimSpace(value), "b="))
	if err != nil {
		t.Fatalf("%v: %q", err, value)
	}
	list, _ := tags.get("h")
	names := map[string]int{}
	for name := range strings.SplitSeq(list, ":") {
		names[withoutFWS(name)]++
	}
	return names
}

func TestHeadersSigned(t *testing.T) {
	over := map[string]bool{}
	for _, name := range oversigned {
		over[name] = true
	}
	s := testSigner(t, nil)
	for _, name := range []string{"Reply-To", "Sender", "Cc", "In-Reply-To", "References", "MIME-Version", "Content-Type",
		"Content-Transfer-Encoding", "Content-Odd", "List-Id", "List-Unsubscribe", "List-Odd", "Feedback-ID",
		"CFBL-Address", "CFBL-Feedback-ID", "BIMI-Selector"} {
		signed := sign(t, s, name+": x\r\n"+simpleMail)
		verify(t, s, signed)
		want := 1
		if over[strings.ToLower(name)] {
			want = 2
		}
		if got := signedNames(t, signed)[strings.ToLower(name)]; got != want {
			t.Errorf("%s: in h= %d times, want %d", name, got, want)
		}
	}
	for _, name := range []string{"Received", "X-Mailer", "Content-Length", "Authentication-Results", "DKIM-Signature", "Comments",
		"List-b="} { // in h= some would take it for the tag b=
		signed := sign(t, s, name+": x\r\n"+simpleMail)
		if _, ok := signedNames(t, signed)[strings.ToLower(name)]; ok {
			t.Errorf("%s is signed", name)
		}
	}
	t.Run("added on the way", func(t *testing.T) {
		signed := sign(t, s, simpleMail)
		for _, name := range oversigned {
			if err := s.Verify([]byte(name + ": added\r\n" + signed)); err == nil {
				t.Errorf("%s can be added without breaking the signature", name)
			}
		}
	})
	t.Run("own list", func(t *testing.T) {
		s := testSigner(t, func(c *Config) { c.Headers = []string{"from", "X-*", "Subject"} })
		signed := sign(t, s, "X-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n"+simpleMail)
		verify(t, s, signed)
		want := map[string]int{"from": 2, "subject": 2, "x-one": 2, "x-two": 1}
		if got := signedNames(t, signed); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		wantRefusal(t, s, "List-Unsubscribe: <https://example.org/u>\r\nList-Unsubscribe-Post: x\r\n"+simpleMail, Refusal{Reason: OneClickUnsigned})
	})
	t.Run("too many", func(t *testing.T) {
		wantRefusal(t, s, strings.Repeat("List-"+strings.Repeat("x", 500)+": x\r\n", 110)+simpleMail,
			Refusal{Reason: FieldTooLong, Field: "DKIM-Signature"})
	})
}

func TestConfig(t *testing.T) {
	good := func() Config { return Config{Domain: "example.org", Keys: []Key{{"s1", testKeys().ed}}} }
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // in the error; empty: none
	}{
		{"zero", func(c *Config) { *c = Config{} }, "no Domain"},
		{"zero, keys", func(c *Config) { *c = Config{} }, "no Keys"},
		{"no domain name", func(c *Config) { c.Domain = "exa mple.org" }, "Domain"},
		{"injection", func(c *Config) { c.Domain = "example.org;\r\n l=0" }, "Domain"},
		{"no signer", func(c *Config) { c.Keys[0].Signer = nil }, "no Signer"},
		{"no selector", func(c *Config) { c.Keys[0].Selector = "" }, "selector"},
		{"selector injection", func(c *Config) { c.Keys[0].Selector = "s; l=0" }, "selector"},
		{"selector twice", func(c *Config) { c.Keys = append(c.Keys, Key{"S1", testKeys().rsa}) }, "two keys"},
		{"selector of labels", func(c *Config) { c.Keys[0].Selector = "a.b-c._d" }, ""},
		{"long name", func(c *Config) { c.Keys[0].Selector = strings.Repeat("abcdefgh.", 26) + "x" }, "DNS takes 253"},
		{"headers without From", func(c *Config) { c.Headers = []string{"To"} }, "From"},
		{"headers with Received", func(c *Config) { c.Headers = []string{"From", "Received"} }, "never"},
		{"headers with Bcc", func(c *Config) { c.Headers = []string{"From", "BCC"} }, "never"},
		{"headers with a bad name", func(c *Config) { c.Headers = []string{"From", "a b"} }, "no field name"},
		{"headers with a name like a tag", func(c *Config) { c.Headers = []string{"From", "X-b="} }, "cannot be signed"},
		{"all headers", func(c *Config) { c.Headers = []string{"*"} }, "no field name"},
		{"short expiration", func(c *Config) { c.Expiration = time.Hour }, "queue lifetime"},
		{"short lifetime", func(c *Config) { c.Expiration, c.QueueLifetime = time.Hour, time.Hour }, ""},
		{"expiration", func(c *Config) { c.Expiration = 6 * 24 * time.Hour }, ""},
		{"below own lifetime", func(c *Config) { c.Expiration, c.QueueLifetime = 6*24*time.Hour, 7*24*time.Hour }, "queue lifetime"},
		{"negative expiration", func(c *Config) { c.Expiration = -1 }, "negative"},
		{"negative lifetime", func(c *Config) { c.QueueLifetime = -1 }, "negative"},
		{"identity", func(c *Config) { c.Identity = "a;b=c d@News.example.org" }, ""},
		{"identity elsewhere", func(c *Config) { c.Identity = "a@example.net" }, "Identity"},
		{"identity that ends alike", func(c *Config) { c.Identity = "a@notexample.org" }, "Identity"},
		{"identity without @", func(c *Config) { c.Identity = "example.org" }, "Identity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good()
			c.change(&cfg)
			s, err := NewSigner(cfg)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				verify(t, s, sign(t, s, simpleMail))
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	t.Run("everything at once", func(t *testing.T) {
		_, err := NewSigner(Config{Domain: "-", Keys: []Key{{}}, Headers: []string{"To"}, Expiration: 1, Identity: "x"})
		if lines := strings.Count(fmt.Sprint(err), "\n") + 1; lines != 6 {
			t.Errorf("got %d errors, want 6:\n%v", lines, err)
		}
	})
	t.Run("times", func(t *testing.T) {
		s := testSigner(t, func(c *Config) {
			c.Now = func() time.Time { return time.Unix(1_800_000_000, 999) }
			c.Expiration = DefaultQueueLifetime
		})
		fields := sign(t, s, simpleMail)
		if !strings.Contains(fields, "t=1800000000; x=1800432000;") {
			t.Errorf("t= or x= is wrong:\n%s", fields)
		}
		s = testSigner(t, func(c *Config) { c.Now = func() time.Time { return time.Time{} } })
		if fields := sign(t, s, simpleMail); !strings.Contains(fields, "t=0;") {
			t.Errorf("a clock before 1970 does not give t=0:\n%s", fields)
		}
	})
	t.Run("internationalized domain", func(t *testing.T) {
		s := testSigner(t, func(c *Config) { c.Domain = "Bücher.example" })
		if got, want := s.Domain(), "xn--bcher-kva.example"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, from := range []string{"a@bücher.example", "a@BÜCHER.example", "a@xn--BCHER-kva.example", "a@news.bücher.example"} {
			verify(t, s, sign(t, s, "From: "+from+"\r\n"+without("From")))
		}
	})
}

func TestByDomain(t *testing.T) {
	org := testSigner(t, nil)
	news := testSigner(t, func(c *Config) { c.Domain = "news.example.org" })
	net := testSigner(t, func(c *Config) { c.Domain = "example.net" })
	idn := testSigner(t, func(c *Config) { c.Domain = "bücher.example" })
	d := ByDomain(org, nil, news, net, idn)
	for _, c := range []struct {
		from string
		want *Signer
	}{
		{"a@example.org", org}, {"a@EXAMPLE.Org", org}, {"a@mail.example.org", org}, {"a@news.example.org", news},
		{"a@x.news.example.org", news}, {"a@example.net", net}, {`"@example.net" <a@example.org>`, org},
		{"a@bücher.example", idn}, {"a@xn--bcher-kva.example", idn},
	} {
		mail := "From: " + c.from + "\r\n" + without("From")
		fields, err := d.Sign(context.Background(), []byte(mail))
		if err != nil {
			t.Errorf("%s: %v", c.from, err)
		} else if !strings.Contains(string(fields), "d="+c.want.Domain()+";") {
			t.Errorf("%s: not signed for %s", c.from, c.want.Domain())
		} else {
			verify(t, c.want, string(fields)+mail)
		}
	}
	for from, want := range map[string]Reason{"a@example.com": NoSigner, "a@org": NoSigner, "a": MalformedFrom,
		"a@example.org, b@example.net": UnalignedFrom} {
		wantRefusal(t, d, "From: "+from+"\r\n"+without("From"), Refusal{Reason: want})
	}
	wantRefusal(t, d, without("From"), Refusal{Reason: MissingFrom})
	t.Run("two signers of a domain", func(t *testing.T) {
		fields, err := ByDomain(org, org).Sign(context.Background(), []byte(simpleMail))
		if got := bytes.Count(fields, []byte("DKIM-Signature:")); err != nil || got != 4 {
			t.Errorf("got %d fields, %v; want 4", got, err)
		}
	})
}

// TestConcurrently signs from many goroutines while keys are rotated: every signature must be that of
// one whole set of keys.
func TestConcurrently(t *testing.T) {
	ed2, err := GenerateKey(Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	sets := [][]Key{{{"a1", testKeys().ed}, {"a2", ed2}}, {{"b1", ed2}, {"b2", testKeys().ed}}}
	s := testSigner(t, func(c *Config) { c.Keys = sets[0] })
	signers := []*Signer{s, testSigner(t, func(c *Config) { c.Keys = sets[1] })}
	signers[0] = testSigner(t, func(c *Config) { c.Keys = sets[0] })
	stop := make(chan struct{})
	var rotating, signing sync.WaitGroup
	rotating.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if err := s.SetKeys(sets[i%2]); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 8 {
		signing.Go(func() {
			for i := range 100 {
				mail := simpleMail
				if i%3 == 0 {
					mail += fmt.Sprintf("body %d\r\n", i)
				}
				signed := sign(t, s, mail)
				which := signers[0]
				if strings.Contains(signed, "s=b1;") {
					which = signers[1]
				}
				if err := which.Verify([]byte(signed)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	signing.Wait()
	close(stop)
	rotating.Wait()
	if err := s.SetKeys(nil); err == nil {
		t.Error("no keys are accepted")
	}
	sign(t, s, simpleMail) // with the old ones
}

func TestSignFailures(t *testing.T) {
	t.Run("key", func(t *testing.T) {
		s := testSigner(t, func(c *Config) { c.Keys = []Key{{"s", publicOnly{testKeys().ed.Public()}}} })
		_, err := s.Sign(context.Background(), []byte(simpleMail))
		if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `"s"`) {
			t.Errorf("got %v, want the key's error with its selector, and no Refusal", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		s := testSigner(t, func(c *Config) { c.Keys = []Key{{"a", cancelling{testKeys().ed, cancel}}, {"b", testKeys().ed}} })
		for range 2 { // between the keys, and before the first
			if _, err := s.Sign(ctx, []byte(simpleMail)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
	})
}

type cancelling struct {
	crypto.Signer
	cancel func()
}

func (k cancelling) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	k.cancel()
	return k.Signer.Sign(r, d, o)
}

// TestAllocations holds Sign to its budget, the cryptography left out.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop things")
	}
	s := testSigner(t, func(c *Config) {
		c.Keys = []Key{{"e1", nullKey{ed25519.PublicKey(make([]byte, 32)), make([]byte, 64)}}}
	})
	mail := benchmarkMail(4 << 10)
	n := 0
	got := testing.AllocsPerRun(200, func() {
		n++
		mail[len(mail)-10], mail[len(mail)-11] = byte('0'+n%10), byte('0'+n/10%10)
		if _, err := s.Sign(context.Background(), mail); err != nil {
			t.Fatal(err)
		}
	})
	if got > 6 {
		t.Errorf("got %v allocations, want at most 6", got)
	}
}

// TestMemoryIsBounded signs many bodies twice each and counts what is kept.
func TestMemoryIsBounded(t *testing.T) {
	s := testSigner(t, func(c *Config) { c.Keys = c.Keys[1:] })
	head, _, _ := strings.Cut(simpleMail, "\r\n\r\n")
	for i := range 40 {
		mail := head + "\r\n\r\n" + strings.Repeat(fmt.Sprintf("line %d\r\n", i), 1+i*1000)
		for range 3 {
			sign(t, s, mail)
		}
	}
	kept := 0
	for i := range s.memory.entries {
		if e := s.memory.entries[i].Load(); e != nil {
			kept++
			if len(e.body) > maxRemember {
				t.Errorf("a body of %d octets is kept", len(e.body))
			}
		}
	}
	if kept == 0 || kept > memories {
		t.Errorf("%d bodies are kept, want 1 to %d", kept, memories)
	}
}

// nextStop works on words; here is what it means, octet by octet.
func TestNextStop(t *testing.T) {
	slow := func(b []byte, from int) int {
		for i := from; i < len(b); i++ {
			if b[i] < ' ' || b[i] == ' ' && i > from && b[i-1] <= ' ' {
				return i
			}
		}
		return len(b)
	}
	octets := []byte("aaaaaa  \t\r\n\x00\x01\x1f!\x7f\x80\xa0\xff")
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = octets[r.IntN(len(octets))]
			if r.IntN(3) > 0 {
				b[i] = 'x'
			}
		}
		from := r.IntN(len(b) + 1)
		if got, want := nextStop(b, from), slow(b, from); got != want {
			t.Fatalf("nextStop(%q, %d): got %d, want %d", b, from, got, want)
		}
	}
}
