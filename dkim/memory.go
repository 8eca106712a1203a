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
	seen    [fingerprints]atomic.Uint64
}

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
	print := binary.LittleEndian.Uint64(hash)
	seen := &m.seen[hash[8]%fingerprints]
	if seen.Load() != print {
		seen.Store(print)
		return
	}
	e := &rememberedBody{body: bytes.Clone(body)}
	copy(e.hash[:], hash)
	m.entries[hash[9]%memories].Store(e)
}

// nameList is a finished tag h=.
type nameList struct {
	ids        []byte // the places in the table of names of the fields it lists
	raw, canon []byte
}

// listMemory keeps finished tags h=: mails made by one program have the same few sets of fields. It
// is as free of locks as bodyMemory, and for the same reason.
type listMemory [8]atomic.Pointer[nameList]

// get returns the tag h= for the fields in w. The result is valid until w is used again.
func (m *listMemory) get(content []byte, w *workspace, table *nameTable) *nameList {
	w.ids = w.ids[:0]
	var sum byte
	usual := true
	for i := range w.header.fields {
		if f := &w.header.fields[i]; f.signed {
			w.ids = append(w.ids, f.known)
			sum = sum*3 + f.known
			usual = usual && f.known > 0
		}
	}
	slot := &m[sum%byte(len(m))]
	if l := slot.Load(); usual && l != nil && bytes.Equal(l.ids, w.ids) {
		return l
	}
	out := fieldWriter{raw: w.list.raw[:0], canon: w.list.canon[:0]}
	out.names(content, &w.header, table)
	w.list.raw, w.list.canon = out.raw, out.canon
	if usual && len(w.ids) <= maxIDs {
		slot.Store(&nameList{bytes.Clone(w.ids), bytes.Clone(out.raw), bytes.Clone(out.canon)})
	}
	return &w.list
}

const maxIDs = 64 // fields of the longest list remembered
