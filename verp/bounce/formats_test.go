package bounce

import (
	"fmt"
	"strings"
	"testing"
)

// section is one mail of formats.txt or kinds.txt and what is wanted of it.
type section struct {
	name, kind string
	recipients []string
	mail       string
}

func sections(t testing.TB, file string) []section {
	t.Helper()
	var out []section
	_, text, _ := strings.Cut(string(testdata(t, file)), "\n-- ")
	for s := range strings.SplitSeq(text, "\n-- ") {
		name, rest, ok := strings.Cut(s, " --\n")
		want, mail, ok2 := strings.Cut(rest, "\n\n")
		if !ok || !ok2 {
			t.Fatalf("section %q is malformed", name)
		}
		sec := section{name: name, mail: mail + "\n"}
		for l := range strings.SplitSeq(want, "\n") {
			if f := strings.Fields(l); len(f) >= 5 { // the kind may have several words
				n := len(f) - 4
				sec.kind = strings.Join(f[:n], " ")
				sec.recipients = append(sec.recipients, strings.Join(f[n:], " "))
			} else {
				sec.kind = l
			}
		}
		out = append(out, sec)
	}
	return out
}

// summary is a Report in the words of testdata/formats.txt.
func summary(r *Report) (kind string, recipients []string) {
	for _, x := range r.Recipients {
		action, class := x.Action, "-"
		if action == "" {
			action = "-"
		}
		if x.Status != "" {
			class = x.Status[:1]
		}
		recipients = append(recipients, fmt.Sprintf("%s %s %s %s", x.Address, action, class, x.Category))
	}
	return r.Kind.String(), recipients
}

// TestFormats: notices in the forms of many systems.
func TestFormats(t *testing.T) { testSections(t, "formats.txt") }

// TestKinds: mails of the kinds that are easily misread.
func TestKinds(t *testing.T) { testSections(t, "kinds.txt") }

func testSections(t *testing.T, file string) {
	for _, s := range sections(t, file) {
		t.Run(s.name, func(t *testing.T) {
			for _, ending := range []string{"\n", "\r\n", "\r"} {
				r, err := Parse(strings.NewReader(strings.ReplaceAll(s.mail, "\n", ending)))
				if err != nil {
					t.Fatal(err)
				}
				kind, recipients := summary(r)
				if kind != s.kind || strings.Join(recipients, "\n") != strings.Join(s.recipients, "\n") {
					t.Fatalf("lines ending with %q: got %s %q\nwant %s %q", ending, kind, recipients, s.kind, s.recipients)
				}
			}
		})
	}
}
