package command

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, arg string
		err       string   // in the error
		text      []string // in what is written
	}{
		{"well", "-n=3", "", nil},
		{"help", "-h", flag.ErrHelp.Error(), []string{"Count counts.\n\nFlags:\n", "-n int", "how many"}},
		{"unknown", "-x", "-x (-h lists the flags)", nil},
		{"malformed", "-n=many", `"many" for flag -n`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flags := flag.NewFlagSet("count", flag.ContinueOnError)
			n := flags.Int("n", 1, "how many")
			var w bytes.Buffer
			err := Parse(flags, []string{tt.arg}, "Count counts.", &w)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if errors.Is(err, flag.ErrHelp) != (tt.name == "help") || err == nil && *n != 3 {
				t.Errorf("got %v, n = %d", err, *n)
			}
			if len(tt.text) == 0 && w.Len() > 0 {
				t.Errorf("wrote %q", &w)
			}
			for _, want := range tt.text {
				if !strings.Contains(w.String(), want) {
					t.Errorf("wrote %q, want %q in it", &w, want)
				}
			}
		})
	}
}
