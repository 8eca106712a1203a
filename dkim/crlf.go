package dkim

import "bytes"

// ToCRLF returns content with every bare LF turned into CRLF. Where there is none it returns content
// itself; it never modifies it. A bare CR stays, for Sign to refuse: nobody knows what it was meant
// to be.
func ToCRLF(content []byte) []byte {
	bare := 0
	for i := 0; ; {
		n := bytes.IndexByte(content[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		if i < 2 || content[i-2] != '\r' {
			bare++
		}
	}
	if bare == 0 {
		return content
	}
	out := make([]byte, 0, len(content)+bare)
	for len(content) > 0 {
		n := bytes.IndexByte(content, '\n')
		if n < 0 {
			return append(out, content...)
		}
		out = append(out, content[:n]...)
		// What is before this LF was taken over as it is, so its CR is the last octet written.
		if n == 0 || content[n-1] != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		content = content[n+1:]
	}
	return out
}
