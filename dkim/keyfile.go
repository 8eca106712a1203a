package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Errors of [LoadKey] and [ParseKey], for errors.Is. Their texts never hold anything of the key.
var (
	// ErrKeyFile: the file is not one that only its owner can read.
	ErrKeyFile = errors.New("dkim: unsafe key file")
	// ErrEncryptedKey: the key needs a pass phrase, which a service has nobody to ask for.
	ErrEncryptedKey = errors.New("dkim: the key is encrypted")
	// ErrNoKey: there is no private key of a kind that can sign DKIM.
	ErrNoKey = errors.New("dkim: no usable private key")
)

const maxKeyFile = 64 << 10

// LoadKey reads a private key from a PEM file, as [ParseKey] does.
//
// It refuses a file that group or others can read or write, and a path whose last element is a
// symbolic link out of its directory; a link inside it is how secrets are mounted, and followed. On
// Windows there are no such permission bits, and access lists are not looked at.
func LoadKey(path string) (crypto.Signer, error) {
	text, err := ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text) // the copies that parsing made are out of reach and stay until collected
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("key file %q: %w", path, err)
	}
	return key, nil
}

// ReadKeyFile returns the content of a key file after the checks of [LoadKey].
func ReadKeyFile(path string) ([]byte, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("dkim: key file: %w", err)
	}
	defer root.Close()
	name := filepath.Base(path)
	info, err := root.Stat(name) // before opening, which would wait on a named pipe
	if err == nil {
		err = checkKeyFile(info)
	}
	if err != nil {
		return nil, keyFileError(path, root, name, err)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, keyFileError(path, root, name, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil { // what was opened may be another file than what was looked at
		err = checkKeyFile(info)
	}
	if err != nil {
		return nil, keyFileError(path, root, name, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("dkim: key file: %w", err)
	}
	return text, nil
}

func checkKeyFile(info os.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case info.Size() >= maxKeyFile:
		return fmt.Errorf("it has %d octets, which is no key", info.Size())
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("its mode is %04o, so group or others have access to it; chmod 600 it", info.Mode().Perm())
	}
	return nil
}

func keyFileError(path string, root *os.Root, name string, err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		var cause *os.PathError // which speaks of "statat", and of the last part of path only
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return fmt.Errorf("dkim: key file %q: %w", path, err)
	}
	if l, lerr := root.Lstat(name); lerr == nil && l.Mode()&os.ModeSymlink != 0 {
		if _, serr := root.Stat(name); serr != nil {
			return fmt.Errorf("%w %q: it is a symbolic link out of its directory; give the path that it leads to", ErrKeyFile, path)
		}
	}
	return fmt.Errorf("%w %q: %w", ErrKeyFile, path, err)
}

// ParseKey reads a private key from PEM text: RSA as PKCS #1 or PKCS #8, Ed25519 as PKCS #8. Blocks
// that are no private keys are passed over. What it returns hides the secret when printed; nothing
// can wipe it from the memory of a Go program.
func ParseKey(text []byte) (crypto.Signer, error) {
	seen := ""
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			seen = block.Type
			continue
		}
		key, err := parseBlock(block)
		clear(block.Bytes)
		if err != nil {
			return nil, err
		}
		if _, err := checkPublicKey(key.Public()); err != nil {
			return nil, err
		}
		return hide(key), nil
	}
	if seen != "" {
		return nil, fmt.Errorf("%w: the PEM text holds a %.32q only", ErrNoKey, seen)
	}
	return nil, fmt.Errorf("%w: this is no PEM text with a PRIVATE KEY block", ErrNoKey)
}

func parseBlock(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, fmt.Errorf("%w: decrypt it first: openssl pkey -in encrypted.pem -out key.pem (and chmod 600 key.pem)", ErrEncryptedKey)
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: the RSA PRIVATE KEY block does not hold one (PKCS #1)", ErrNoKey)
		}
		return key, nil
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: the PRIVATE KEY block does not hold one (PKCS #8)", ErrNoKey)
		}
		switch k := key.(type) {
		case *rsa.PrivateKey:
			return k, nil
		case ed25519.PrivateKey:
			return k, nil
		}
		return nil, fmt.Errorf("%w: a %T cannot sign DKIM: use RSA or Ed25519", ErrNoKey, key)
	}
	return nil, fmt.Errorf("%w: %.32q is not a form that is read here: convert it to PKCS #8 (openssl pkey)", ErrNoKey, block.Type)
}
