//go:build !cgo || !openssl

package openssl

import (
	"crypto"
	"crypto/rsa"
)

// Key returns ErrNotBuilt.
func Key(*rsa.PrivateKey) (crypto.Signer, error) { return nil, ErrNotBuilt }
