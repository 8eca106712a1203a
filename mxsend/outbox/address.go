package outbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// hasher hashes addresses with the Box's key, for one goroutine: 128 bits, of which the first 64 find a row. Upper and lower
// case are not told apart, as no provider of note does.
func (b *Box) hasher() func(address string) (first, rest int64) {
	mac := hmac.New(sha256.New, b.secret)
	var sum [sha256.Size]byte
	return func(address string) (first, rest int64) {
		mac.Reset()
		mac.Write([]byte("outbox address\x00"))
		mac.Write([]byte(strings.ToLower(address)))
		mac.Sum(sum[:0])
		return int64(binary.BigEndian.Uint64(sum[:8])), int64(binary.BigEndian.Uint64(sum[8:16]))
	}
}

// provider is the domain of an address.
func provider(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}
