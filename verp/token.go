package verp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"sync"
	"time"
)

// A token is, before base32: key id (1), day of issue (2, big-endian), id
// (0 to 16), HMAC (10). The length of the id follows from that of the token.
const (
	headLen  = 3
	maxID    = 16
	macLen   = 10 // 80 bits: 2^80 mails to forge one, while each costs an SMTP command
	overhead = headLen + macLen
	maxRaw   = overhead + maxID
	maxText  = 47 // octets of maxRaw in base32

	nonceLen  = 8
	nonceText = 13 // octets of nonceLen in base32
)

// label separates this use of a secret from any other, and this version of the
// format from later ones.
const label = "mxsend verp token v1"

// epoch is day 0 of the days of issue. They are counted modulo 2^16: on the wire
// as ever since 2024, and before and long after in any case.
var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay

const secondsOfDay = 86400

// maxValidity is how far apart two days can be to be told apart.
const maxValidity = 1 << 15 * 24 * time.Hour // 89 years

// dayNumber counts days from the epoch, backwards too: a test may run in 2000.
func dayNumber(t time.Time) int64 {
	s := t.Unix()
	return (s-((s%secondsOfDay)+secondsOfDay)%secondsOfDay)/secondsOfDay - epoch
}

func dayOf(t time.Time) uint16 { return uint16(dayNumber(t)) }

// dayStart returns when the day of issue began: of all the days with that number
// the one closest to now.
func dayStart(day uint16, now time.Time) time.Time {
	today := dayNumber(now)
	apart := int16(day - uint16(today))
	return time.Unix((epoch+today+int64(apart))*secondsOfDay, 0).UTC()
}

// signer computes the HMAC of tokens with one key. A prepared hash costs far
// more to make than to use, so they are kept.
type signer struct {
	id   byte
	pool sync.Pool // of *state
}

// state is a prepared hash and the buffers that would otherwise be allocated,
// because they pass through an interface.
type state struct {
	mac hash.Hash
	in  []byte // label and domain; the token's octets are appended
	fix int    // length of label and domain
	sum [sha256.Size]byte
}

func newSigner(k Key, domain string) *signer {
	secret := append([]byte(nil), k.Secret...)
	// The zero octets keep label, domain and token apart: neither contains one
	// before the token starts.
	in := append(append(append(append([]byte(nil), label...), 0), domain...), 0)
	s := &signer{id: k.ID}
	s.pool.New = func() any {
		return &state{mac: hmac.New(sha256.New, secret), in: append(make([]byte, 0, len(in)+maxRaw), in...), fix: len(in)}
	}
	return s
}

// compute leaves the HMAC of body in st.sum.
func (st *state) compute(body []byte) {
	st.in = append(st.in[:st.fix], body...)
	st.mac.Reset()
	st.mac.Write(st.in)
	st.mac.Sum(st.sum[:0])
}

// sign appends the signature to the first n octets of raw.
func (s *signer) sign(raw *[maxRaw]byte, n int) {
	st := s.pool.Get().(*state)
	st.compute(raw[:n])
	copy(raw[n:], st.sum[:macLen])
	s.pool.Put(st)
}

// verify checks the signature at the end of raw in constant time.
func (s *signer) verify(raw []byte) bool {
	st := s.pool.Get().(*state)
	n := len(raw) - macLen
	st.compute(raw[:n])
	ok := hmac.Equal(raw[n:], st.sum[:macLen])
	s.pool.Put(st)
	return ok
}

// isToken reports whether text has the form of a token.
func isToken(text string) bool {
	var raw [maxRaw]byte
	_, ok := decodeToken(&raw, text)
	return ok
}

// decodeToken decodes the text of a token and returns its length in octets.
func decodeToken(raw *[maxRaw]byte, text string) (n int, ok bool) {
	n = len(text) * 5 / 8
	if n < overhead || n > maxRaw || encoding.EncodedLen(n) != len(text) {
		return 0, false
	}
	return n, decodeBase32(raw[:n], text)
}

// appendNonce appends the random part of a Message-ID.
func appendNonce(b []byte) []byte {
	var nonce [nonceLen]byte
	_, _ = rand.Read(nonce[:]) // never fails; it crashes the program instead
	return encoding.AppendEncode(b, nonce[:])
}
