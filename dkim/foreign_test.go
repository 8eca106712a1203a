package dkim

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestForeignVerifiers has the odd mails verified by two implementations in other languages, from
// Debian's python3-dkim (with python3-nacl for Ed25519) and libmail-dkim-perl.
func TestForeignVerifiers(t *testing.T) {
	s := testSigner(t, nil)
	dir := t.TempDir()
	var records bytes.Buffer
	for _, k := range s.keys.Load().keys {
		r, err := Record(k.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		records.WriteString(k.Selector + "._domainkey.example.org\t" + r + "\n")
	}
	recordsPath := filepath.Join(dir, "records")
	if err := os.WriteFile(recordsPath, records.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{recordsPath}
	mails := oddMails(t)
	delete(mails, "signed-before") // its other signature has no record
	for name, mail := range mails {
		fields, err := s.Sign(context.Background(), mail)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(mail, crlf) { // as it arrives: the final dot stands on a line of its own
			mail = append(bytes.Clone(mail), crlf...)
		}
		path := filepath.Join(dir, name+".eml")
		if err := os.WriteFile(path, append(fields, mail...), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	for _, c := range []struct {
		name      string
		programs  []string // the first that is there and can load the module
		probe     []string
		script    string
		selectors []string
	}{
		{"dkimpy", []string{"/usr/bin/python3", "python3"}, []string{"-I", "-c", "import dkim, nacl"}, "verify.py", []string{"r1", "e1"}},
		{"Mail-DKIM", []string{"/usr/bin/perl", "perl"}, []string{"-MMail::DKIM::Verifier", "-e1"}, "verify.pl", []string{"r1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := ""
			for _, p := range c.programs {
				if exec.Command(p, c.probe...).Run() == nil {
					program = p
					break
				}
			}
			if program == "" {
				t.Skipf("%s is not installed", c.name)
			}
			out, err := exec.Command(program, append([]string{filepath.Join("testdata", c.script)}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			verdicts := map[string]string{}
			for line := range strings.Lines(string(out)) {
				if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
					verdicts[filepath.Base(f[0])+" "+f[1]] = f[2]
				}
			}
			for name := range mails {
				for _, selector := range c.selectors {
					if got := verdicts[name+".eml "+selector]; got != "pass" {
						t.Errorf("%s, selector %s: got %q, want pass", name, selector, got)
					}
				}
			}
		})
	}
}
