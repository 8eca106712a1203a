package verp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

var testDay = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

func testConfig() Config {
	return Config{
		Prefix: "b",
		Domain: "example.com",
		Keys:   []Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}},
		Now:    func() time.Time { return testDay },
	}
}

func newCodec(t testing.TB, change func(*Config)) *Codec {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustEncode(t testing.TB, c *Codec, id []byte) string {
	t.Helper()
	address, err := c.Encode(id)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestRoundTrip(t *testing.T) {
	configs := map[string]func(*Config){
		"default":        nil,
		"minus":          func(c *Config) { c.Delimiter = '-' },
		"equals":         func(c *Config) { c.Delimiter = '=' },
		"dot":            func(c *Config) { c.Delimiter = '.' },
		"no prefix":      func(c *Config) { c.Prefix = "" },
		"longest prefix": func(c *Config) { c.Prefix = "bounces-of-shop1" },
		"mixed case":     func(c *Config) { c.Prefix, c.Domain = "Bounce", "Mail.Example.COM" },
	}
	for name, change := range configs {
		t.Run(name, func(t *testing.T) {
			c := newCodec(t, change)
			for n := range maxID + 1 {
				id := bytes.Repeat([]byte{0xA5, 0x00, 0xFF}, 6)[:n]
				address := mustEncode(t, c, id)
				if local, _, _ := strings.Cut(address, "@"); len(local) > 64 {
					t.Errorf("local part of %q has %d octets", address, len(local))
				}
				messageID, err := c.MessageID(id)
				if err != nil {
					t.Fatal(err)
				}
				for _, form := range []string{
					address, strings.ToUpper(address), strings.ToLower(address), "<" + address + ">",
					"@relay.example:" + address, address + ".", messageID, strings.Trim(messageID, "<>"),
					"prvs=1234abcdef=" + address,
				} {
					got, err := c.Decode(form)
					if err != nil || !bytes.Equal(got.ID, id) {
						t.Errorf("Decode(%q) = %x, %v; want %x", form, got.ID, err, id)
					}
					if want := testDay.Truncate(24 * time.Hour); err == nil && !got.Issued.Equal(want) {
						t.Errorf("Issued = %v, want %v", got.Issued, want)
					}
				}
			}
		})
	}
}

func TestEncodeRefusesALongID(t *testing.T) {
	c := newCodec(t, nil)
	if _, err := c.Encode(make([]byte, 17)); !errors.Is(err, ErrIDTooLong) {
		t.Errorf("Encode: %v, want ErrIDTooLong", err)
	}
	if _, err := c.MessageID(make([]byte, 17)); !errors.Is(err, ErrIDTooLong) {
		t.Errorf("MessageID: %v, want ErrIDTooLong", err)
	}
}

func TestMessageIDsDiffer(t *testing.T) {
	c := newCodec(t, nil)
	a, _ := c.MessageID([]byte{7})
	b, _ := c.MessageID([]byte{7})
	if a == b {
		t.Errorf("two Message-IDs for one id are equal: %s", a)
	}
	token := strings.TrimPrefix(strings.TrimSuffix(mustEncode(t, c, []byte{7}), "@example.com"), "b+")
	if !strings.HasPrefix(a, "<"+token+".") {
		t.Errorf("MessageID = %s, want the token %s in it", a, token)
	}
}

func TestValidity(t *testing.T) {
	const day = 24 * time.Hour
	c := newCodec(t, nil)
	address := mustEncode(t, c, []byte("id"))
	tests := []struct {
		name string
		now  time.Time
		want error
	}{
		{"at once", testDay, nil},
		{"30 days later", testDay.Add(30 * day), nil},
		{"31 days later", testDay.Add(31 * day), ErrExpired},
		{"a year later", testDay.Add(365 * day), ErrExpired},
		{"clock two hours slow", testDay.Add(-2 * time.Hour), nil},
		{"clock a day slow", testDay.Add(-day), nil},
		{"clock three days slow", testDay.Add(-3 * day), ErrExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			later := newCodec(t, func(c *Config) { c.Now = func() time.Time { return tt.now } })
			got, err := later.Decode(address)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Decode: %v, want %v", err, tt.want)
			}
			if string(got.ID) != "id" || got.Issued.IsZero() {
				t.Errorf("Token = %+v, want it filled", got)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	older := Key{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}
	newer := Key{ID: 2, Secret: []byte("fedcba9876543210fedcba9876543210")}
	before := newCodec(t, func(c *Config) { c.Keys = []Key{older} })
	during := newCodec(t, func(c *Config) { c.Keys = []Key{newer, older} })
	after := newCodec(t, func(c *Config) { c.Keys = []Key{newer} })
	by1, by2 := mustEncode(t, before, []byte{1}), mustEncode(t, during, []byte{1})
	tests := []struct {
		name    string
		codec   *Codec
		address string
		want    error
	}{
		{"old token while both are accepted", during, by1, nil},
		{"new token while both are accepted", during, by2, nil},
		{"old token once its key is gone", after, by1, ErrForged},
		{"new token once the old key is gone", after, by2, nil},
		{"new token before its key is known", before, by2, ErrForged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.codec.Decode(tt.address); !errors.Is(err, tt.want) {
				t.Errorf("Decode: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	c := newCodec(t, nil)
	address := mustEncode(t, c, []byte("recipient-4711"))
	token := strings.TrimSuffix(strings.TrimPrefix(address, "b+"), "@example.com")
	other := newCodec(t, func(c *Config) { c.Domain = "example.net" })
	tests := []struct {
		name, address string
		want          error
	}{
		{"empty", "", ErrForeign},
		{"null return path", "<>", ErrForeign},
		{"no domain", "b+" + token, ErrForeign},
		{"other domain", "b+" + token + "@example.org", ErrForeign},
		{"subdomain", "b+" + token + "@mail.example.com", ErrForeign},
		{"other prefix", "c+" + token + "@example.com", ErrForeign},
		{"other delimiter", "b-" + token + "@example.com", ErrForeign},
		{"no prefix", token + "@example.com", ErrForeign},
		{"Kelvin sign", "b+" + token + "@example.\u212Aom", ErrForeign},
		{"bare prefix", "b@example.com", ErrForeign},
		{"person", "jane@example.com", ErrForeign},
		{"Message-ID of another", "<20260314.abc123@example.com>", ErrForeign},
		{"empty token", "b+@example.com", ErrForged},
		{"word", "b+hello@example.com", ErrForged},
		{"cut", "b+" + token[:len(token)-1] + "@example.com", ErrForged},
		{"cut to the id", "b+" + token[:21] + "@example.com", ErrForged},
		{"longer", "b+" + token + "a@example.com", ErrForged},
		{"over-long", "b+" + strings.Repeat("a", 4096) + "@example.com", ErrForged},
		{"padding", "b+" + token + "=@example.com", ErrForged},
		{"space", "b+" + token[:5] + " " + token[5:] + "@example.com", ErrForged},
		{"of another domain's codec", "b+" + strings.TrimSuffix(strings.TrimPrefix(mustEncode(t, other, []byte("recipient-4711")), "b+"), "@example.net") + "@example.com", ErrForged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := c.Decode(tt.address); !errors.Is(err, tt.want) || got.ID != nil {
				t.Errorf("Decode = %+v, %v; want %v and no Token", got, err, tt.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no domain", func(c *Config) { c.Domain = "" }, "Domain"},
		{"domain with a space in UTF-8", func(c *Config) { c.Domain = "bü cher.example" }, "Domain"},
		{"domain that is no A-label", func(c *Config) { c.Domain = "xn--\u00fc.example" }, "Domain"},
		{"domain with a line end", func(c *Config) { c.Domain = "example.com\r\n" }, "Domain"},
		{"domain with an empty label", func(c *Config) { c.Domain = "example..com" }, "label"},
		{"no keys", func(c *Config) { c.Keys = nil }, "Keys"},
		{"short secret", func(c *Config) { c.Keys[0].Secret = make([]byte, 15) }, "at least 16"},
		{"same key id", func(c *Config) { c.Keys = append(c.Keys, c.Keys[0]) }, "ID"},
		{"prefix with @", func(c *Config) { c.Prefix = "b@" }, "Prefix"},
		{"prefix too long", func(c *Config) { c.Prefix = strings.Repeat("b", 17) }, "at most 16"},
		{"prefix with dots", func(c *Config) { c.Prefix = ".b" }, "dot"},
		{"delimiter", func(c *Config) { c.Delimiter = '@' }, "Delimiter"},
		{"BATV's prefix", func(c *Config) { c.Prefix, c.Delimiter = "prvs", '=' }, "BATV"},
		{"validity under the queues'", func(c *Config) { c.Validity = 9 * 24 * time.Hour }, "queue lifetime"},
		{"validity of a century", func(c *Config) { c.Validity = 100 * 365 * 24 * time.Hour }, "Validity"},
		{"negative validity", func(c *Config) { c.Validity = -1 }, "Validity"},
		{"negative queue lifetime", func(c *Config) { c.QueueLifetime = -1 }, "QueueLifetime"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			tt.change(&cfg)
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New: %v, want an error about %q", err, tt.want)
			}
		})
	}
	t.Run("everything at once", func(t *testing.T) {
		_, err := New(Config{Delimiter: '@', Validity: 1})
		for _, want := range []string{"Delimiter", "Domain", "Keys", "Validity"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("New: %v, want %q in it", err, want)
			}
		}
	})
	t.Run("short validity for short queues", func(t *testing.T) {
		newCodec(t, func(c *Config) { c.Validity, c.QueueLifetime = 4*24*time.Hour, 48*time.Hour })
	})
}

func TestKeysAreCopied(t *testing.T) {
	cfg := testConfig()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	clear(cfg.Keys[0].Secret)
	if _, err := newCodec(t, nil).Decode(mustEncode(t, c, []byte{1})); err != nil {
		t.Errorf("changing the caller's secret changed the Codec: %v", err)
	}
}

func TestConcurrent(t *testing.T) {
	c := newCodec(t, nil)
	t.Run("group", func(t *testing.T) {
		for g := range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for i := range 500 {
					n := uint64(g)<<32 | uint64(i)
					got, err := c.Decode(mustEncode(t, c, FromUint64(n)))
					if m, ok := got.Uint64(); err != nil || !ok || m != n {
						t.Fatalf("got %d, %v; want %d", m, err, n)
					}
				}
			})
		}
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops items at random under the race detector")
	}
	c := newCodec(t, nil)
	id := FromUint64(4711)
	address := mustEncode(t, c, id)
	if got := testing.AllocsPerRun(100, func() { _, _ = c.Encode(id) }); got > 2 {
		t.Errorf("Encode allocates %v times, want at most 2", got)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = c.Decode(address) }); got > 2 {
		t.Errorf("Decode allocates %v times, want at most 2", got)
	}
}
