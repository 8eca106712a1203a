package dkim

import (
	"encoding/binary"
	"math/bits"
)

// Every octet of a message is looked at once, eight at a time, for the few that matter to
// canonicalisation and to a relay: controls (CR, LF, TAB, NUL among them) and the second octet of a
// run of white space. Between two stops the text is already in its canonical form and is hashed or
// copied as it stands.

const (
	lanes    = 0x0101010101010101 // one in every octet of a word
	highBits = 0x80 * lanes
	lowBits  = 0x7f * lanes
)

// nextStop returns the index of the first octet of b, at or after i, that is a control (under 0x20)
// or is a space behind a space or control; len(b) where there is none. The octet before i does not
// count, so a single space at i is no stop.
func nextStop(b []byte, i int) int {
	var before uint64 // the high bit of the lowest octet: the octet before this word was 0x20 or less
	for ; i+8 <= len(b); i += 8 {
		word := binary.LittleEndian.Uint64(b[i:])
		low := word & lowBits
		blank := ^((low + (0x7f-0x20)*lanes) | word) & highBits   // octets of 0x20 and less
		control := ^((low + (0x80-0x20)*lanes) | word) & highBits // octets under 0x20
		if stops := control | blank&(blank<<8|before); stops != 0 {
			return i + bits.TrailingZeros64(stops)>>3
		}
		before = blank >> 56
	}
	wasBlank := before != 0
	for ; i < len(b); i++ {
		c := b[i]
		if c < ' ' || c == ' ' && wasBlank {
			return i
		}
		wasBlank = c == ' '
	}
	return len(b)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
