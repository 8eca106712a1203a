package verp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// FromUint64 returns the id for a number, such as a row's primary key: 8
// octets, big-endian.
func FromUint64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// FromUUID returns the id for a UUID in its text form, with or without
// hyphens, braces or a urn:uuid: prefix: 16 octets. Pass the octets of a
// binary UUID to Encode as they are.
func FromUUID(uuid string) ([]byte, error) {
	s := strings.TrimPrefix(strings.ToLower(uuid), "urn:uuid:")
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	id, err := hex.DecodeString(s)
	if err != nil || len(id) != 16 {
		return nil, fmt.Errorf("verp: not a UUID: 32 hexadecimal digits are needed")
	}
	return id, nil
}

// Uint64 returns the number that FromUint64 made the id of, and false where
// the id does not have 8 octets.
func (t Token) Uint64() (n uint64, ok bool) {
	if len(t.ID) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(t.ID), true
}

// UUID returns the text form of the UUID that FromUUID made the id of, and
// false where the id does not have 16 octets.
func (t Token) UUID() (uuid string, ok bool) {
	if len(t.ID) != 16 {
		return "", false
	}
	h := hex.EncodeToString(t.ID)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
}
