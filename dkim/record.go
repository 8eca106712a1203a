package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
)

// Record returns the value of the TXT record that publishes key, to stand at
// selector._domainkey.domain. A record of more than 255 octets, and that of an RSA-2048 key is one,
// has to be cut into strings of at most 255 octets in the zone file; they are joined without
// anything between them (RFC 6376 §3.6.2.2).
func Record(key crypto.PublicKey) (string, error) {
	if _, err := checkPublicKey(key); err != nil {
		return "", err
	}
	switch p := key.(type) {
	case ed25519.PublicKey: // RFC 8463 §4.2: the key itself, without ASN.1 around it
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(p), nil
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(p)
		if err != nil {
			return "", fmt.Errorf("dkim: record: %w", err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
	}
	return "", fmt.Errorf("dkim: record: unsupported key %T", key)
}
