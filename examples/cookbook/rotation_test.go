package cookbook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/verp"
)

func codec(keys ...verp.Key) (*verp.Codec, error) {
	// The first key signs, all are accepted.
	return verp.New(verp.Config{Prefix: "b", Domain: "bounce.example.com", Keys: keys})
}

func rotate(signer *dkim.Signer, selector, file string) error {
	key, err := dkim.LoadKey(file)
	if err != nil {
		return err
	}
	return signer.SetKeys([]dkim.Key{{Selector: selector, Signer: key}})
}

func TestDKIMRotation(t *testing.T) {
	keys := t.TempDir()
	newKey := func(name string) string {
		key, err := dkim.GenerateKey(dkim.Ed25519)
		if err != nil {
			t.Fatal(err)
		}
		text, err := dkim.MarshalKey(key)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(keys, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	old, err := dkim.LoadKey(newKey("old.pem"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := dkim.NewSigner(dkim.Config{Domain: "example.com", Keys: []dkim.Key{{Selector: "old", Signer: old}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := rotate(signer, "new", newKey("new.pem")); err != nil {
		t.Fatal(err)
	}
	content, err := dkim.Prepare([]byte(mail), dkim.PrepareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	header, err := signer.Sign(t.Context(), content)
	if err != nil || !strings.Contains(string(header), "s=new") || strings.Contains(string(header), "s=old") {
		t.Errorf("got %q, %v", header, err)
	}
	if err := signer.Verify(append(header, content...)); err != nil {
		t.Error(err)
	}
	if err := rotate(signer, "newer", filepath.Join(keys, "nowhere.pem")); err == nil {
		t.Error("a key that is not there was taken")
	}
}

func TestVERPRotation(t *testing.T) {
	old := verp.Key{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}
	young := verp.Key{ID: 2, Secret: []byte("fedcba9876543210fedcba9876543210")}
	before, err := codec(old)
	if err != nil {
		t.Fatal(err)
	}
	address, err := before.Encode(verp.FromUint64(7))
	if err != nil {
		t.Fatal(err)
	}
	during, err := codec(young, old)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := during.Decode(address); err != nil {
		t.Errorf("a bounce to a return path of before: %v", err)
	}
	after, err := codec(young)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Decode(address); err == nil {
		t.Error("the old key is still accepted")
	}
}
