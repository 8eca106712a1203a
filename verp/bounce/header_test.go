package bounce

import "testing"

func TestEnclosedHeader(t *testing.T) {
	h := enclosedHeader("\nX-Long:\nwas=folded once\nReceived: from a\n\tby b\nno field\n\tfolded\nMessage-ID:\n <1@example.com>\nSubject: x\n\nMessage-ID: <2@example.com>\n")
	for name, want := range map[string]string{"message-id": "<1@example.com>", "received": "from a by b", "SUBJECT": "x", "X-Long": "", "X-None": ""} {
		if got := h.get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestSplitHeader(t *testing.T) {
	tests := []struct{ name, text, subject, body string }{
		{"plain", "Subject: a\n\nbody\n", "a", "body\n"},
		{"mbox line first", "From x Thu\nSubject: a\n\nbody", "a", "body"},
		{"space before the colon", "Subject : a\n\nbody", "a", "body"},
		{"folded", "Subject: a\n  b\n\tc\n\nbody", "a b c", "body"},
		{"folded from the first line", "Subject:\n a\n\nbody", "a", "body"},
		{"ended by a line that is no field", "Subject: a\nbody without an empty line\n", "a", "body without an empty line\n"},
		{"ended by a line of spaces", "Subject: a\n  \nbody", "a", "body"},
		{"no header", "just text", "", "just text"},
		{"no body", "Subject: a", "a", ""},
		{"empty", "", "", ""},
	}
	for _, tt := range tests {
		h, body, _ := splitHeader(tt.text)
		if h.get("Subject") != tt.subject || body != tt.body {
			t.Errorf("%s: subject %q, body %q; want %q, %q", tt.name, h.get("Subject"), body, tt.subject, tt.body)
		}
	}
}

func TestMediaType(t *testing.T) {
	for value, want := range map[string][2]string{
		`multipart/report; boundary=x`:                    {"multipart/report", "x"},
		`Multipart/Report; report-type=a; Boundary="x y"`: {"multipart/report", "x y"},
		"multipart/report;\n\tboundary=\"a\\\"b\"; x=y":   {"multipart/report", `a"b`},
		`multipart/report; boundary = x`:                  {"multipart/report", "x"},
		`multipart/report; ; x; boundary=x;`:              {"multipart/report", "x"},
		`multipart/report`:                                {"multipart/report", ""},
		`multipart/report; boundary="x`:                   {"multipart/report", "x"},
		`text`:                                            {"text", ""},
		``:                                                {"", ""},
		`multipart/report; charset=utf-8 boundary=x`:      {"multipart/report", "x"},
		`multipart/report; report-type=delivery-status boundary="x"`: {"multipart/report", "x"},
	} {
		if typ, p := mediaType(value, "boundary"); typ != want[0] || p != want[1] {
			t.Errorf("%q: %q, %q; want %q, %q", value, typ, p, want[0], want[1])
		}
	}
}
