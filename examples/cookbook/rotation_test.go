package cookbook

import (
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
