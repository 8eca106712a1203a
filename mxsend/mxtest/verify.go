package mxtest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/emersion/go-msgauth/dkim"
)

// A dnsError is a failed look-up as the verifier expects it.
type dnsError struct{ name string }

func (e dnsError) Error() string   { return fmt.Sprintf("mxtest: no such name: %s", e.name) }
func (e dnsError) Temporary() bool { return false }

// verify checks the DKIM signatures of a mail as a receiver does, with keys from the cluster's DNS.
func (d *DNS) verify(content []byte) []Signature {
	verdicts, err := dkim.VerifyWithOptions(bytes.NewReader(content), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if records, ok := d.txt(name); ok {
				return records, nil
			}
			return nil, dnsError{name}
		},
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return []Signature{{Err: err}}
	}
	var list []Signature
	for _, v := range verdicts {
		list = append(list, Signature{Domain: v.Domain, Identifier: v.Identifier, Err: v.Err})
	}
	return list
}
