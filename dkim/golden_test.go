package dkim

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden fields in testdata anew")

// oddMails returns the mails in testdata/odd by name.
func oddMails(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "odd", "*.eml"))
	if err != nil || len(paths) < 20 {
		tb.Fatalf("got %d odd mails, %v", len(paths), err)
	}
	mails := map[string][]byte{}
	for _, path := range paths {
		mail, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		mails[strings.TrimSuffix(filepath.Base(path), ".eml")] = mail
	}
	return mails
}

// TestOddMails signs every odd mail: go-msgauth must verify it, and with a key whose signatures do not
// vary the field must be the golden one, octet by octet.
func TestOddMails(t *testing.T) {
	both := testSigner(t, nil)
	golden, err := NewSigner(Config{Domain: "example.org", Keys: []Key{{"golden", rfcEd25519(t)}},
		Now: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	for name, mail := range oddMails(t) {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(mail)
			fields, err := both.Sign(context.Background(), mail)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(mail, before) {
				t.Error("Sign changed the content")
			}
			if err := both.Verify(append(fields, mail...)); err != nil {
				t.Error(err)
			}
			got, err := golden.Sign(context.Background(), mail)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "odd", name+".dkim")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
