package verp

// alphabet is RFC 4648 §6 in lower case: no character that looks like another
// to a relay, and each survives a change of case.
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// base32Len is the length of n octets in base32 without padding.
func base32Len(n int) int { return (n*8 + 4) / 5 }

// appendBase32 appends src in base32 without padding.
func appendBase32(dst, src []byte) []byte {
	var acc, bits uint
	for _, b := range src {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			dst = append(dst, alphabet[acc>>bits&31])
		}
	}
	if bits > 0 {
		dst = append(dst, alphabet[acc<<(5-bits)&31])
	}
	return dst
}

// decodeBase32 fills dst from text, whose length must be base32Len(len(dst)).
// It refuses set bits behind the last octet, so that each value has one
// spelling, apart from case.
func decodeBase32(dst []byte, text string) bool {
	var acc, bits uint
	n := 0
	for i := range len(text) {
		v := base32Value(text[i])
		if v < 0 {
			return false
		}
		acc, bits = acc<<5|uint(v), bits+5
		if bits >= 8 {
			bits -= 8
			dst[n] = byte(acc >> bits)
			n++
		}
	}
	return n == len(dst) && acc&(1<<bits-1) == 0
}

func base32Value(ch byte) int {
	switch {
	case 'a' <= ch && ch <= 'z':
		return int(ch - 'a')
	case 'A' <= ch && ch <= 'Z':
		return int(ch - 'A')
	case '2' <= ch && ch <= '7':
		return int(ch-'2') + 26
	}
	return -1
}
