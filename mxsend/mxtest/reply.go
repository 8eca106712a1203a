package mxtest

import (
	"fmt"
	"strings"
)

// A reply is an SMTP reply in parts.
type reply struct {
	code   int
	status string // enhanced status code (RFC 3463); empty: none
	text   string
}

// String gives the reply as one line.
func (r reply) String() string {
	if r.status == "" {
		return fmt.Sprintf("%d %s", r.code, r.text)
	}
	return fmt.Sprintf("%d %s %s", r.code, r.status, r.text)
}

// parseReply reads "450 4.2.0 text", "450 text" or "450".
func parseReply(s string) (reply, error) {
	s, _, _ = strings.Cut(s, "\n")
	code, rest, _ := strings.Cut(s, " ")
	if len(code) != 3 || code[0] < '2' || code[0] > '5' || !digits(code[1:]) {
		return reply{}, fmt.Errorf("%q: %w", s, errReplyForm)
	}
	r := reply{code: int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0'), text: rest}
	if strings.ContainsAny(rest, "\r\n") {
		return reply{}, fmt.Errorf("%q: %w", s, errReplyForm)
	}
	status, text, _ := strings.Cut(rest, " ")
	if !validStatus(status) {
		return r, nil
	}
	if status[0] != code[0] {
		return reply{}, fmt.Errorf("%q: code and enhanced status code contradict each other", s)
	}
	r.status, r.text = status, text
	return r, nil
}

// validStatus reports whether s is an enhanced status code: class.subject.detail (RFC 3463 §2).
func validStatus(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) == 3 && len(parts[0]) == 1 && digits(parts[0]) &&
		len(parts[1]) >= 1 && len(parts[1]) <= 3 && digits(parts[1]) &&
		len(parts[2]) >= 1 && len(parts[2]) <= 3 && digits(parts[2])
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
