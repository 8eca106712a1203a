//go:build !cgo || !openssl

package main

import (
	"crypto"
	"crypto/rsa"
)

// opensslKey returns nil: it is not built in.
func opensslKey(*rsa.PrivateKey) (crypto.Signer, error) { return nil, nil }
