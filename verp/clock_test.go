package verp

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBubble: tokens live and expire by the clock of a synctest bubble, which
// starts in 2000.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCodec(t, func(cfg *Config) { cfg.Now = nil })
		address := mustEncode(t, c, FromUint64(4711))
		for range 31 {
			token, err := c.Decode(address)
			if n, _ := token.Uint64(); err != nil || n != 4711 {
				t.Fatalf("on %v: %v", time.Now(), err)
			}
			if want := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); !token.Issued.Equal(want) {
				t.Fatalf("issued %v, want %v", token.Issued, want)
			}
			time.Sleep(24 * time.Hour)
		}
		if _, err := c.Decode(address); !errors.Is(err, ErrExpired) {
			t.Errorf("on %v: %v, want ErrExpired", time.Now(), err)
		}
	})
}

// TestClocks: a token is valid from the day before its issue to the end of its
// validity, whatever the year.
func TestClocks(t *testing.T) {
	for _, year := range []int{1, 1900, 1969, 1970, 2000, 2023, 2024, 2026, 2113, 2203, 2204, 2400, 9999} {
		now := time.Date(year, 6, 15, 12, 0, 0, 0, time.UTC)
		c := newCodec(t, func(cfg *Config) { cfg.Now = func() time.Time { return now } })
		address := mustEncode(t, c, []byte{1})
		issued := now
		for days, want := range map[int]error{
			-30000: ErrExpired, -2: ErrExpired, -1: nil, 0: nil, 1: nil, 30: nil, 31: ErrExpired, 365: ErrExpired, 30000: ErrExpired,
		} {
			now = issued.AddDate(0, 0, days)
			token, err := c.Decode(address)
			if !errors.Is(err, want) {
				t.Errorf("year %d, after %d days: %v, want %v", year, days, err, want)
			}
			if start := issued.Truncate(24 * time.Hour); !token.Issued.Equal(start) {
				t.Errorf("year %d, after %d days: issued %v, want %v", year, days, token.Issued, start)
			}
		}
		now = issued
	}
}

// TestMidnight: the day of issue is that of UTC, before 1970 too.
func TestMidnight(t *testing.T) {
	for _, at := range []string{"1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "1960-02-29T00:00:00Z"} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		c := newCodec(t, func(cfg *Config) { cfg.Now = func() time.Time { return now } })
		token, err := c.Decode(mustEncode(t, c, []byte{1}))
		if err != nil || token.Issued.Format(time.DateOnly) != at[:10] {
			t.Errorf("%s: issued %v, %v", at, token.Issued, err)
		}
	}
}

// TestOldToken: a return path made by the first version, in November 2026, is
// read as it was then.
func TestOldToken(t *testing.T) {
	const address = "b+aeccgaaaaaaaaaasm7iajetspa5y6izumq@example.com"
	c := newCodec(t, func(cfg *Config) { cfg.Now = func() time.Time { return time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC) } })
	token, err := c.Decode(address)
	if n, _ := token.Uint64(); err != nil || n != 4711 || token.Issued.Format(time.DateOnly) != "2026-11-25" {
		t.Errorf("%v, %v", token, err)
	}
}

// TestInternationalDomain: a domain in other letters is written in ASCII, and read
// in both.
func TestInternationalDomain(t *testing.T) {
	for _, domain := range []string{"Bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"} {
		c := newCodec(t, func(cfg *Config) { cfg.Domain = domain })
		if got := c.Domain(); got != "xn--bcher-kva.example" {
			t.Errorf("%s: Domain %q", domain, got)
		}
		address := mustEncode(t, c, FromUint64(4711))
		if !strings.HasSuffix(address, "@xn--bcher-kva.example") {
			t.Errorf("%s: Encode gives %s", domain, address)
		}
		local, _, _ := strings.Cut(address, "@")
		for _, form := range []string{address, local + "@bücher.example", local + "@BÜCHER.example.", "<" + local + "@Xn--Bcher-Kva.example>"} {
			if token, err := c.Decode(form); err != nil || len(token.ID) != 8 {
				t.Errorf("%s: Decode(%q): %v", domain, form, err)
			}
		}
		for _, form := range []string{local + "@bucher.example", local + "@bü cher.example", local + "@\xff.example", local + "@büchér.example"} {
			if _, err := c.Decode(form); !errors.Is(err, ErrForeign) {
				t.Errorf("%s: Decode(%q): %v, want ErrForeign", domain, form, err)
			}
		}
	}
}

func TestBareMessageID(t *testing.T) {
	c := newCodec(t, nil)
	id, err := c.BareMessageID(FromUint64(4711))
	if err != nil || strings.ContainsAny(id, "<>") {
		t.Fatalf("%q, %v", id, err)
	}
	for _, form := range []string{id, "<" + id + ">"} {
		if token, err := c.Decode(form); err != nil || len(token.ID) != 8 {
			t.Errorf("Decode(%q): %v", form, err)
		}
	}
	if other, _ := c.BareMessageID(FromUint64(4711)); other == id {
		t.Error("two mails have the same Message-ID")
	}
	if _, err := c.BareMessageID(make([]byte, 17)); !errors.Is(err, ErrIDTooLong) {
		t.Errorf("17 octets: %v", err)
	}
}

// TestEndOfLine: encoding/base32 passes over ends of lines; a token has none.
func TestEndOfLine(t *testing.T) {
	c := newCodec(t, nil)
	local, domain, _ := strings.Cut(mustEncode(t, c, FromUint64(4711)), "@")
	for _, end := range []string{"\n", "\r", "\r\n", "="} {
		for _, i := range []int{3, len(local) - 1, len(local)} {
			if _, err := c.Decode(local[:i] + end + local[i:] + "@" + domain); !errors.Is(err, ErrForged) {
				t.Errorf("%q at %d: %v, want ErrForged", end, i, err)
			}
		}
	}
}
