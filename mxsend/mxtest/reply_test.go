package mxtest

import (
	"strings"
	"testing"
)

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want reply
		ok   bool
	}{
		{"550 5.1.1 no such user", reply{550, "5.1.1", "no such user"}, true},
		{"450 come back", reply{450, "", "come back"}, true},
		{"421", reply{421, "", ""}, true},
		{"250 2.0.0", reply{250, "2.0.0", ""}, true},
		{"550 5.1.1111 x", reply{550, "", "5.1.1111 x"}, true},
		{"550 4.1.1 x", reply{}, false},
		{"55 x", reply{}, false},
		{"150 x", reply{}, false},
		{"5x0 x", reply{}, false},
		{"", reply{}, false},
	} {
		got, err := parseReply(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: got %+v, %v; want %+v, ok %v", tt.in, got, err, tt.want, tt.ok)
		}
	}
}

// FuzzParseReply: what is taken says the same when it is written and read again, on one line.
func FuzzParseReply(f *testing.F) {
	f.Add("550 5.1.1 no such user")
	f.Add("421")
	f.Add("450 4.2.0 a\n450 b")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseReply(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(r.String(), "\r\n") {
			t.Fatalf("%q: %q", s, r.String())
		}
		if again, err := parseReply(r.String()); err != nil || again != r {
			t.Fatalf("%q: got %+v, then %+v, %v", s, r, again, err)
		}
	})
}
