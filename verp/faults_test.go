package verp

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	t.Run("G1", faultSecretsStayHidden)
	t.Run("G2", faultForgery)
}

// faultSecretsStayHidden prints keys in every way and looks for the secret.
func faultSecretsStayHidden(t *testing.T) {
	k := Key{ID: 7, Secret: []byte("correct horse battery staple")}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", []Key{k})
		fmt.Fprintf(&out, verb+"\n", Config{Keys: []Key{k}})
	}
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("key", "key", k, "pointer", &k)
	_, err := New(Config{Keys: []Key{k, k}})
	fmt.Fprintln(&out, err)
	for _, form := range []string{"correct", fmt.Sprintf("%x", "correct"), fmt.Sprintf("%X", "correct"), "99 111 114 114"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("output contains the secret as %q", form)
		}
	}
}

// faultForgery changes genuine addresses in every way that should break them.
func faultForgery(t *testing.T) {
	c := newCodec(t, nil)
	address := mustEncode(t, c, FromUint64(4711))
	token := address[len("b+"):strings.IndexByte(address, '@')]

	t.Run("every other character at every place", func(t *testing.T) {
		for i := range len(token) {
			for ch := range 256 {
				if lower(byte(ch)) == token[i] || ch == '@' {
					continue
				}
				changed := "b+" + token[:i] + string([]byte{byte(ch)}) + token[i+1:] + "@example.com"
				if _, err := c.Decode(changed); !errors.Is(err, ErrForged) {
					t.Fatalf("%q at %d: %v, want ErrForged", rune(ch), i, err)
				}
			}
		}
	})
	t.Run("every prefix and suffix", func(t *testing.T) {
		for i := range len(token) {
			for _, part := range []string{token[:i], token[i+1:], token[i:] + token[:i]} {
				if part == token {
					continue
				}
				if _, err := c.Decode("b+" + part + "@example.com"); !errors.Is(err, ErrForged) {
					t.Fatalf("%q: %v, want ErrForged", part, err)
				}
			}
		}
	})
	t.Run("random tokens", func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 20_000 {
			raw := make([]byte, overhead+rnd.IntN(maxID+1))
			for i := range raw {
				raw[i] = byte(rnd.Uint32())
			}
			raw[0] = 1
			if _, err := c.Decode("b+" + string(encoding.AppendEncode(nil, raw)) + "@example.com"); !errors.Is(err, ErrForged) {
				t.Fatalf("%x: %v, want ErrForged", raw, err)
			}
		}
	})
	t.Run("same secret, other domain or key id", func(t *testing.T) {
		for name, change := range map[string]func(*Config){
			"domain": func(c *Config) { c.Domain = "example.org" },
			"key id": func(c *Config) { c.Keys[0].ID = 9 },
		} {
			other := mustEncode(t, newCodec(t, change), FromUint64(4711))
			moved := other[:strings.IndexByte(other, '@')] + "@example.com"
			if _, err := c.Decode(moved); !errors.Is(err, ErrForged) {
				t.Errorf("%s: %v, want ErrForged", name, err)
			}
		}
	})
	t.Run("timing", faultTiming)
}

// faultTiming compares the time taken by tokens whose signature is wrong in its
// first octet with those wrong in the last: batches alternate, and the medians
// must lie within the noise that two equal samples show.
func faultTiming(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("times are only compared in a full run without the race detector")
	}
	c := newCodec(t, nil)
	var raw [maxRaw]byte
	if _, ok := decodeToken(&raw, strings.TrimSuffix(strings.TrimPrefix(mustEncode(t, c, FromUint64(1)), "b+"), "@example.com")); !ok {
		t.Fatal("token does not decode")
	}
	n := overhead + 8
	wrongAt := func(i int) string {
		changed := raw
		changed[n-macLen+i] ^= 0x55
		return "b+" + string(encoding.AppendEncode(nil, changed[:n])) + "@example.com"
	}
	candidates := []string{wrongAt(0), wrongAt(macLen - 1), wrongAt(0)}
	// A busy machine can upset one comparison; a leak upsets them all.
	var last string
	for range 5 {
		times := medianTimes(c, candidates)
		noise := math.Abs(times[0]-times[2]) + 0.05*times[0]
		if math.Abs(times[0]-times[1]) <= noise {
			return
		}
		last = fmt.Sprintf("wrong first octet %.0f ns a batch, wrong last octet %.0f, noise %.0f", times[0], times[1], noise)
	}
	t.Error(last)
}

// medianTimes measures batches of Decode, alternating between the addresses.
func medianTimes(c *Codec, addresses []string) []float64 {
	const rounds, batch = 301, 64
	times := make([][]float64, len(addresses))
	for range rounds {
		for i, address := range addresses {
			start := time.Now()
			for range batch {
				_, _ = c.Decode(address)
			}
			times[i] = append(times[i], float64(time.Since(start)))
		}
	}
	medians := make([]float64, len(addresses))
	for i, x := range times {
		slices.Sort(x)
		medians[i] = x[len(x)/2]
	}
	return medians
}
