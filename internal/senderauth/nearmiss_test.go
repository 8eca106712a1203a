package senderauth

import (
	"strings"
	"testing"
)

func TestNearlySPF(t *testing.T) {
	for _, tc := range []struct{ record, want string }{
		{" v=spf1 -all", "begins with white space"},
		{"\tv=spf1 -all", "begins with white space"},
		{`"v=spf1 -all"`, "quotation marks or backslashes"},
		{`v=spf1\; -all`, "quotation marks or backslashes"},
		{"v=spf1;-all", `behind "v=spf1" there must be a space`},
		{"v=spf1,mx -all", `behind "v=spf1" there must be a space`},
		{"v=spf1include:x.test -all", `behind "v=spf1" there must be a space`},
		{"v=spf1\t-all", `behind "v=spf1" there must be a space`},
		{"v=spf1\u00a0-all", "U+00A0"},
		{"\ufeffv=spf1 -all", "U+FEFF"},
		{"v=spf10 -all", `version is not "v=spf1"`},
		{"v=spf2 -all", `does not begin with "v=spf1"`},
		{"v=spf -all", `does not begin with "v=spf1"`},
		{"v = spf1 -all", `does not begin with "v=spf1"`},
		{"v:spf1 -all", `does not begin with "v=spf1"`},
		{"spf1 -all", `does not begin with "v=spf1"`},
		{"SPF2.0/pra -all", `does not begin with "v=spf1"`},
		{"google-site-verification=spf1", ""},
		{"v=DMARC1; p=none", ""},
		{"", ""},
		{`"`, ""},
		{"\xff\xfe", ""},
	} {
		if isSPF(tc.record) {
			t.Errorf("%q is an SPF record", tc.record)
		}
		if got := nearlySPF(tc.record); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%q: got %q, want %q", tc.record, got, tc.want)
		}
	}
}

func TestNearlyDMARC(t *testing.T) {
	for _, tc := range []struct{ record, want string }{
		{"v=DMARC1 p=reject", `behind "v=DMARC1" there must be a semicolon`},
		{"v=DMARC1, p=reject", `behind "v=DMARC1" there must be a semicolon`},
		{`v=DMARC1\; p=reject`, "quotation marks or backslashes"},
		{`"v=DMARC1; p=reject"`, "quotation marks or backslashes"},
		{" v=DMARC1; p=reject", "begins with white space"},
		{"v=dmarc1; p=reject", `must be written "v=DMARC1"`},
		{"V=DMARC1; p=reject", `must be written "v=DMARC1"`},
		{"v=DMARC2; p=none", `does not begin with "v=DMARC1"`},
		{"v=DMARC10; p=none", `version is not "v=DMARC1"`},
		{"DMARC1; p=none", `does not begin with "v=DMARC1"`},
		{"p=reject; v=DMARC1", `does not begin with "v=DMARC1"`},
		{"p=quarantine", `does not begin with "v=DMARC1"`},
		{"v=DMARC1\u00a0; p=none", "U+00A0"},
		{"v=spf1 -all", ""},
		{"hello", ""},
		{"", ""},
	} {
		if isDMARC(tc.record) {
			t.Errorf("%q is a DMARC record", tc.record)
		}
		if got := nearlyDMARC(tc.record); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%q: got %q, want %q", tc.record, got, tc.want)
		}
	}
	for _, record := range []string{"v=DMARC1", "v=DMARC1; p=none", "v = DMARC1 ;p=none", "v=DMARC1;"} {
		if !isDMARC(record) {
			t.Errorf("%q is no DMARC record", record)
		}
	}
}
