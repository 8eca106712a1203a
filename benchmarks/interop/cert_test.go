package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A certificate is one for every relay of these tests, signed by itself.
type certificate struct {
	tls  tls.Certificate
	root *x509.CertPool // that trusts it
	pem  string         // file with certificate and key
}

func newCertificate(t *testing.T, names ...string) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relays of the tests"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	c := certificate{root: x509.NewCertPool(), pem: filepath.Join(t.TempDir(), "relay.pem")}
	if c.tls, err = tls.X509KeyPair(both, both); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.pem, both, 0o600); err != nil {
		t.Fatal(err)
	}
	c.root.AppendCertsFromPEM(both)
	return c
}

// shared returns a copy of the file that any user can read.
func (c certificate) shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mxsend-certificate-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	both, err := os.ReadFile(c.pem)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "relay.pem")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, both, 0o644)); err != nil {
		t.Fatal(err)
	}
	return file
}
