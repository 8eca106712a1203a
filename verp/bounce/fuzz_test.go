package bounce

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzParse: no panic, bounded time and results, and the same Report whether
// lines end with LF, CRLF or CR.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.eml")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && len(b) < 16<<10 {
			f.Add(b)
		}
	}
	f.Add([]byte(testNotice))
	f.Add([]byte(testComplaint))
	f.Add([]byte("From: MAILER-DAEMON\nSubject: failure notice\n\n<a@b.c>:\nUser unknown. #5.1.1\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <x@y.z>\nReceived: a\nTo: a@b.c\n"))
	f.Add([]byte("{\"notificationType\":\"Bounce\",\"mail\":{},\"bounce\":{\"bouncedRecipients\":[{\"emailAddress\":\"a@b.c\"}]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
		if strings.Count(text, "\n")+len(text) > maxInput {
			return
		}
		began := time.Now()
		lf, err := Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v for %d octets", took, len(text))
		}
		for name, ending := range map[string]string{"CRLF": "\r\n", "CR": "\r"} {
			other, err := Parse(strings.NewReader(strings.ReplaceAll(text, "\n", ending)))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(lf, other) {
				t.Errorf("LF gives %+v\n%s gives %+v", lf, name, other)
			}
		}
		if len(lf.Recipients) > maxRecipients {
			t.Errorf("%d recipients", len(lf.Recipients))
		}
		for _, r := range lf.Recipients {
			if r.Address == "" || r.Category >= categories || len(r.Diagnostic) > maxDiagnostic || strings.ContainsAny(r.Address+r.Status+r.Action, "\r\n") {
				t.Errorf("recipient %+v", r)
			}
			if lf.Kind == Failed || lf.Kind == Delayed {
				if utf8.ValidString(text) && r.Status == "" {
					t.Errorf("no status: %+v", r)
				}
			}
			if r.Action != actionFailed && (r.Permanent || r.Category.Hard()) {
				t.Errorf("permanent without a failure: %+v", r)
			}
			if len(r.Address) > maxAddress {
				t.Errorf("an address of %d octets", len(r.Address))
			}
		}
	})
}
