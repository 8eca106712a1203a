package peers

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend"
)

// A keyMaker makes the key of one signature.
type keyMaker func() (crypto.Signer, error)

func rsaKey() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func ed25519Key() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// newSigner signs with a key of each kind; nil where there is none.
func newSigner(makers []keyMaker) (mxsend.Signer, error) {
	if len(makers) == 0 {
		return nil, nil
	}
	var keys []dkim.Key
	for i, makeKey := range makers {
		key, err := makeKey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, dkim.Key{Selector: string(rune('a' + i)), Signer: key})
	}
	return dkim.NewSigner(dkim.Config{Domain: "bench.test", Keys: keys})
}
