package verp

import "encoding/base32"

// encoding is RFC 4648 §6 in lower case, without padding: no character that
// looks like another to a relay, and each survives a change of case.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// decodeBase32 fills dst from text, whose length must be that of the encoded dst,
// at most maxText octets. It takes letters of either case, and refuses set bits
// behind the last octet, so that each value has one spelling apart from case.
func decodeBase32(dst []byte, text string) bool {
	var small [maxText]byte
	for i := range len(text) {
		if !isAlnum(text[i]) { // the library would pass over an end of line
			return false
		}
		small[i] = lower(text[i])
	}
	n, err := encoding.Decode(dst, small[:len(text)])
	if err != nil || n != len(dst) {
		return false
	}
	var again [maxText]byte
	encoding.Encode(again[:len(text)], dst)
	return again[len(text)-1] == small[len(text)-1]
}
