//go:build cgo && openssl

package openssl

import (
	"crypto"
	"crypto/rsa"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/dkim/opensslkey"
)

// Key moves a key into libcrypto.
func Key(key *rsa.PrivateKey) (crypto.Signer, error) {
	text, err := dkim.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return opensslkey.ParseKey(text)
}
