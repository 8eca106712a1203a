//go:build !cgo || !openssl

package main

import (
	"crypto"
	"crypto/rsa"
)

const opensslNote = "Not built with -tags openssl: no rows for dkim/opensslkey."

func opensslKey(*rsa.PrivateKey) (crypto.Signer, error) { return nil, nil }
