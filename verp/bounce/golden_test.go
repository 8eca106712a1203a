package bounce

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGolden parses bounces that real mail systems wrote (testdata/README.md).
// golden.txt says what each must give; a bounce that is not listed fails.
func TestGolden(t *testing.T) {
	want := make(map[string]string)
	for l := range strings.SplitSeq(strings.TrimSpace(string(testdata(t, "golden.txt"))), "\n") {
		name, rest, ok := strings.Cut(l, ": ")
		if !ok {
			t.Fatalf("golden.txt: %q", l)
		}
		want[name] = rest
	}
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bounces in testdata")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(data), "\r\n", "\n")
			for _, ending := range []string{"\n", "\r\n", "\r"} {
				r, err := Parse(strings.NewReader(strings.ReplaceAll(text, "\n", ending)))
				if err != nil {
					t.Fatal(err)
				}
				kind, recipients := summary(r)
				if got := kind + "; " + strings.Join(recipients, ", "); got != want[name] {
					t.Errorf("lines ending with %q:\ngot  %s\nwant %s", ending, got, want[name])
				}
				if !strings.HasPrefix(r.MessageID, "<case.") {
					t.Errorf("Message-ID of the original %q", r.MessageID)
				}
			}
		})
		delete(want, name)
	}
	for name := range want {
		t.Errorf("golden.txt lists %s, which is missing", name)
	}
}
