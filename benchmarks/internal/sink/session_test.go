package sink

import (
	"strings"
	"testing"
)

// However the octets of a conversation are cut, the replies and counts are the
// same.
func TestSessionCuts(t *testing.T) {
	content := "From: a@b.test\r\n\r\n..stuffed\r\nline\r\n"
	said := "EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n" + content + ".\r\n" +
		"MAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n"
	want := string(hello) + strings.Repeat(string(ok), 2) + string(goAhead) + string(queued) +
		strings.Repeat(string(ok), 2) + string(goAhead) + string(queued) + strings.Repeat(string(ok), 2) + string(bye)
	for size := 1; size <= len(said); size++ {
		var s session
		var rest, out []byte
		for at := 0; at < len(said); at += size {
			next := said[at:min(len(said), at+size)]
			rest, out = s.take(append(append([]byte(nil), rest...), next...), out)
		}
		if string(out) != want {
			t.Fatalf("pieces of %d: got %q, want %q", size, out, want)
		}
		if s.accepted != 2 || s.octets != int64(len(content)) {
			t.Errorf("pieces of %d: got %d mails of %d octets, want 2 of %d", size, s.accepted, s.octets, len(content))
		}
	}
}
