package dkim

import (
	"bytes"
	"sync/atomic"
)

const maxIDs = 64 // fields of the longest list remembered

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
