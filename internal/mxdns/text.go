package mxdns

import "strings"

// joinText joins the strings of a TXT record and undoes the escapes of its presentation (RFC 1035 §5.1):
// \DDD is an octet in decimal, and any other character behind a backslash is itself.
func joinText(parts []string) string {
	var b strings.Builder
	for _, s := range parts {
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] != '\\' || i+1 == len(s):
				b.WriteByte(s[i])
			case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
				b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + s[i+3] - '0')
				i += 3
			default:
				b.WriteByte(s[i+1])
				i++
			}
		}
	}
	return b.String()
}

// escape makes of text what joinText makes text of.
func escape(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
