package mxtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"time"
)

// certs is the cluster's CA and its certificates, made at start: in a synctest bubble the year is 2000, and no
// certificate from a file would be valid.
type certs struct {
	ca   authority
	now  time.Time
	pool *x509.CertPool

	mu     sync.Mutex // guards below
	issued map[certKey]*tls.Config
}

type certKey struct {
	relay *Relay
	kind  FaultKind
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCerts() (*certs, error) {
	c := &certs{now: time.Now(), pool: x509.NewCertPool(), issued: map[certKey]*tls.Config{}}
	ca, err := newAuthority(c.now)
	if err != nil {
		return nil, err
	}
	c.ca = ca
	c.pool.AddCert(ca.cert)
	return c, nil
}

func newAuthority(now time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "mxtest CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{cert, key}, err
}

// client trusts the CA.
func (c *certs) client() *tls.Config {
	return &tls.Config{RootCAs: c.pool, MinVersion: tls.VersionTLS12}
}

// CA is the certificate of the cluster's CA, in PEM, for clients that are other programs.
func (c *Cluster) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.certs.ca.cert.Raw})
}

// server is the configuration of a relay, broken as the fault has it.
func (c *certs) server(r *Relay, kind FaultKind) *tls.Config {
	switch kind {
	case TLSExpired, TLSWrongName, TLSUntrusted:
	default:
		kind = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := certKey{r, kind}
	if cfg, ok := c.issued[key]; ok {
		return cfg
	}
	cert, err := c.issue(r, kind)
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, err }}
	c.issued[key] = cfg
	return cfg
}

func (c *certs) issue(r *Relay, kind FaultKind) (*tls.Certificate, error) {
	ca, name, from, to := c.ca, r.name, c.now.Add(-time.Hour), c.now.AddDate(5, 0, 0)
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	switch kind {
	case TLSExpired:
		from, to = c.now.AddDate(0, -2, 0), c.now.Add(-time.Minute)
	case TLSWrongName:
		name = "wrong.invalid"
	case TLSUntrusted:
		other, err := newAuthority(c.now)
		if err != nil {
			return nil, err
		}
		ca = other
	}
	if kind != TLSWrongName {
		template.IPAddresses = []net.IP{net.ParseIP(r.ip), net.IPv4(127, 0, 0, 1)}
	}
	template.Subject, template.DNSNames, template.NotBefore, template.NotAfter = pkix.Name{CommonName: name}, []string{name}, from, to
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
