package dkim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func testKeyFiles(t *testing.T) {
	text, err := MarshalKey(testKeys().ed)
	if err != nil {
		t.Fatal(err)
	}
	write := func(t *testing.T, path string, text []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("modes", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no permission bits")
		}
		path := filepath.Join(t.TempDir(), "key.pem")
		for mode := os.FileMode(0); mode <= 0o777; mode++ {
			write(t, path, text, mode)
			_, err := LoadKey(path)
			switch {
			case mode&0o077 != 0 && !errors.Is(err, ErrKeyFile) && !errors.Is(err, os.ErrPermission):
				t.Errorf("mode %04o: got %v, want ErrKeyFile", mode, err)
			case mode&0o077 == 0 && mode&0o400 != 0 && err != nil:
				t.Errorf("mode %04o: %v", mode, err)
			}
			os.Remove(path)
		}
	})
	t.Run("symbolic link", func(t *testing.T) {
		dir := t.TempDir()
		inside, outside := filepath.Join(dir, "in"), t.TempDir()
		if err := os.Mkdir(inside, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(inside, "real.pem"), text, 0o600)
		write(t, filepath.Join(outside, "real.pem"), text, 0o600)
		link := func(target, name string) string {
			path := filepath.Join(dir, name)
			if err := os.Symlink(target, path); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			return path
		}
		if _, err := LoadKey(link(filepath.Join("in", "real.pem"), "good.pem")); err != nil {
			t.Errorf("link inside its directory: %v", err)
		}
		for _, target := range []string{filepath.Join(outside, "real.pem"), filepath.Join("..", filepath.Base(outside), "real.pem")} {
			if _, err := LoadKey(link(target, "bad.pem")); !errors.Is(err, ErrKeyFile) {
				t.Errorf("link out of its directory: got %v, want ErrKeyFile", err)
			}
			os.Remove(filepath.Join(dir, "bad.pem"))
		}
	})
	t.Run("no file", func(t *testing.T) {
		if _, err := LoadKey(filepath.Join(t.TempDir(), "none.pem")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v, want os.ErrNotExist", err)
		}
	})
	t.Run("directory", func(t *testing.T) {
		if _, err := LoadKey(t.TempDir()); !errors.Is(err, ErrKeyFile) {
			t.Errorf("got %v, want ErrKeyFile", err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key.pem")
		write(t, path, make([]byte, maxKeyFile), 0o600)
		if _, err := LoadKey(path); !errors.Is(err, ErrKeyFile) {
			t.Errorf("got %v, want ErrKeyFile", err)
		}
	})
	t.Run("forms", testKeyForms)
}

func testKeyForms(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}})
	for _, c := range []struct {
		name string
		text []byte
		want error
		key  crypto.PublicKey
	}{
		{"PKCS #1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil, &key.PublicKey},
		{"PKCS #8 RSA", block("PRIVATE KEY", pkcs8(key)), nil, &key.PublicKey},
		{"PKCS #8 Ed25519", block("PRIVATE KEY", pkcs8(ed)), nil, ed.Public()},
		{"behind a certificate", append(block("CERTIFICATE", []byte("x")), block("PRIVATE KEY", pkcs8(ed))...), nil, ed.Public()},
		{"encrypted PKCS #8", block("ENCRYPTED PRIVATE KEY", pkcs8(key)), ErrEncryptedKey, nil},
		{"encrypted PKCS #1", encrypted, ErrEncryptedKey, nil},
		{"ECDSA", block("PRIVATE KEY", pkcs8(ec)), ErrNoKey, nil},
		{"public key", block("PUBLIC KEY", public), ErrNoKey, nil},
		{"OpenSSH", block("OPENSSH PRIVATE KEY", []byte("x")), ErrNoKey, nil},
		{"garbage in PKCS #1", block("RSA PRIVATE KEY", pkcs8(ed)[:20]), ErrNoKey, nil},
		{"garbage in PKCS #8", block("PRIVATE KEY", pkcs8(ed)[:20]), ErrNoKey, nil},
		{"DER", pkcs8(key), ErrNoKey, nil},
		{"nothing", nil, ErrNoKey, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseKey(c.text)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want != nil {
				for _, secret := range [][]byte{pkcs8(key), pkcs8(ed)} {
					if s := base64.StdEncoding.EncodeToString(secret[20:44]); strings.Contains(err.Error(), s) {
						t.Error("the error holds octets of the key")
					}
				}
				return
			}
			if e := got.Public().(interface{ Equal(crypto.PublicKey) bool }); !e.Equal(c.key) {
				t.Errorf("got another key")
			}
		})
	}
}
