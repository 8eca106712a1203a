// Package opensslkey signs with RSA keys through OpenSSL's libcrypto, which is faster at it than
// crypto/rsa: what bounds a personalised mailing signed with RSA. How much faster is a matter of the
// processor: 1.7 signatures for one of Go's were measured on an AMD Zen 3; on one with AVX-512 IFMA,
// for which OpenSSL has code of its own, it should be more. "go run -tags openssl ./benchmarks/signing"
// tells, beside what the openssl command itself reaches.
//
// Nothing of it is built unless the build tag openssl is given and cgo is on:
//
//	CGO_ENABLED=1 go build -tags openssl …
//
// It needs the headers and the library of OpenSSL 1.1.1 or later (Debian: libssl-dev). With them,
// LoadKey and ParseKey take the place of those in package dkim:
//
//	key, err := opensslkey.LoadKey("s1.pem")
//	…
//	signer, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: []dkim.Key{{Selector: "s1", Signer: key}}})
//
// Ed25519 keys gain nothing and are refused; load them with package dkim.
//
// # Bugs
//
// A signature occupies an operating system thread while it is made, like any call into C.
package opensslkey
