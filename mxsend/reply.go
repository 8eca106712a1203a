package mxsend

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A Reply is a relay's reply. The zero value means that none came. However it
// is printed, addresses in its text are masked; Text has them.
type Reply struct {
	Code     int    // reply code, 200–599
	Enhanced string // enhanced status code, "5.1.1"; empty where the reply had none
	// Text is the rest, as the relay wrote it, at most 512 octets, lines
	// joined by '\n'. Relays quote recipients' addresses in it. After a cut
	// connection it is the part that had arrived.
	Text string
}

const maxReplyText = 512

func newReply(code int, enhanced smtpwire.EnhancedCode, text []byte) Reply {
	return Reply{Code: code, Enhanced: enhanced.String(), Text: string(text[:min(len(text), maxReplyText)])}
}

// String gives code, enhanced status code and quoted text, addresses masked.
func (r Reply) String() string {
	if r.Code == 0 && r.Text == "" {
		return "no reply"
	}
	b := make([]byte, 0, 64)
	if r.Code != 0 {
		b = strconv.AppendInt(b, int64(r.Code), 10)
	}
	if r.Enhanced != "" {
		b = append(append(b, ' '), r.Enhanced...)
	}
	if r.Text != "" {
		const most = 200
		text := maskAddresses(r.whole())
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendQuote(b, strings.ToValidUTF8(text[:min(len(text), most)], "�"))
	}
	return string(b)
}

// whole is Text without its last word where that may have been cut: it may be
// the beginning of an address.
func (r Reply) whole() string {
	if len(r.Text) < maxReplyText {
		return r.Text
	}
	return r.Text[:strings.LastIndexAny(r.Text, " \n")+1]
}

// Format prints the reply as String does, whatever the verb, so that no %+v or
// %#v brings an address into a log.
func (r Reply) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue logs the reply as String gives it.
func (r Reply) LogValue() slog.Value { return slog.StringValue(r.String()) }

// maskAddresses replaces every word with an @, and whatever stands in angle
// brackets, by "<…>"-like masks.
func maskAddresses(s string) string {
	if strings.IndexByte(s, '@') < 0 {
		return s
	}
	isWord := func(c byte) bool { return c > ' ' && !strings.ContainsRune("<>()[],;:\"'", rune(c)) }
	var b strings.Builder
	for len(s) > 0 {
		at := strings.IndexByte(s, '@')
		if at < 0 {
			b.WriteString(s)
			break
		}
		from, to := at, at+1
		for from > 0 && isWord(s[from-1]) {
			from--
		}
		if from > 0 && s[from-1] == '"' { // a quoted local part; where it begins is anybody's guess
			from = strings.IndexByte(s, '"')
		}
		for to < len(s) && (isWord(s[to]) || s[to] == '@') {
			to++
		}
		if to < len(s) && s[to] == '[' && s[to-1] == '@' { // an address literal
			to += max(strings.IndexByte(s[to:], ']'), 0) + 1
		}
		b.WriteString(s[:from])
		b.WriteString("…")
		s = s[to:]
	}
	return b.String()
}

// queueID finds the relay's queue id in its reply to the final dot, as Postfix
// ("Ok: queued as 4XyZ"), Exim ("OK id=1a2b-3c") and others write it.
func queueID(text string) string {
	for _, mark := range [...]string{"queued as ", "id="} {
		if i := strings.Index(text, mark); i >= 0 {
			id := text[i+len(mark):]
			if end := strings.IndexAny(id, " \t\n;,)>"); end >= 0 {
				id = id[:end]
			}
			return strings.TrimSuffix(id, ".")
		}
	}
	return ""
}
