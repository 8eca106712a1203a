package dkim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

const (
	memories     = 4       // bodies remembered at a time
	maxRemember  = 1 << 18 // octets of the largest body remembered
	fingerprints = 64
)

// bodyMemory recognises bodies that were hashed before: a mailing whose body is the same for all
// recipients is hashed twice in all. A body is copied only when its hash comes up a second time, so
// personalised mail, where each body is seen once, pays for one comparison with a number and for no
// copy. At most memories × maxRemember octets are held.
//
// Everything is atomic and nothing is ever changed in place, so there is no lock: a lost update
// costs one more hash, never a wrong one, for an entry is used only when its body is equal octet by
// octet.
type bodyMemory struct {
	entries [memories]atomic.Pointer[rememberedBody]
	_       [cacheLine]byte // seen is written all the time, what is around it only read
	seen    [fingerprints]atomic.Uint64
	_       [cacheLine]byte
}

const cacheLine = 64

type rememberedBody struct {
	body []byte
	hash [sha256.Size]byte
}

// find appends the hash of body to dst where body is remembered.
func (m *bodyMemory) find(dst, body []byte) ([]byte, bool) {
	for i := range m.entries {
		if e := m.entries[i].Load(); e != nil && bytes.Equal(e.body, body) {
			return append(dst, e.hash[:]...), true
		}
	}
	return dst, false
}

// note is told of every body that was hashed.
func (m *bodyMemory) note(body, hash []byte) {
	if len(body) > maxRemember {
		return
	}
	fingerprint := binary.LittleEndian.Uint64(hash)
	seen := &m.seen[hash[8]%fingerprints]
	if seen.Load() != fingerprint {
		seen.Store(fingerprint)
		return
	}
	e := &rememberedBody{body: bytes.Clone(body)}
	copy(e.hash[:], hash)
	m.entries[hash[9]%memories].Store(e)
}
