package peers

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"runtime"

	"github.com/mxsend/go-mxsend/benchmarks/internal/openssl"
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

// opensslKey is an RSA key inside OpenSSL.
func opensslKey() (crypto.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return openssl.Key(key)
}

func makeKeys(makers []keyMaker) (keys []crypto.Signer, err error) {
	for _, makeKey := range makers {
		key, err := makeKey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// newSigner signs with every key; nil where there is none.
func newSigner(keys []crypto.Signer) (mxsend.Signer, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var all []dkim.Key
	for i, key := range keys {
		all = append(all, dkim.Key{Selector: string(rune('a' + i)), Signer: key})
	}
	return dkim.NewSigner(dkim.Config{Domain: "bench.test", Keys: all})
}

// runBare makes the bare signatures of a mailing on all cores, and sends nothing: no client can be faster that signs each
// message with these keys on this machine.
func runBare(_ context.Context, job Job, m *mailing) (int, error) {
	job.Connections = runtime.GOMAXPROCS(0)
	digest := sha256.Sum256(m.content)
	return pooled(job, m, func(take func() (string, bool)) error {
		for {
			if _, ok := take(); !ok {
				return nil
			}
			for _, key := range m.keys {
				hash := crypto.SHA256
				if _, ok := key.Public().(ed25519.PublicKey); ok {
					hash = 0 // it signs the digest as if it were the message
				}
				if _, err := key.Sign(rand.Reader, digest[:], hash); err != nil {
					return errors.New("a bare signature failed")
				}
			}
		}
	})
}
