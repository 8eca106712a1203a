//go:build cgo && openssl

package opensslkey

/*
#cgo LDFLAGS: -lcrypto
#cgo noescape mx_sign
#cgo nocallback mx_sign

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static EVP_PKEY *mx_parse(const unsigned char *der, long n) {
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &der, n);
	// The error queue belongs to the thread, which Go may give to anyone next.
	ERR_clear_error();
	return key;
}

// PKCS #1 v1.5 over a SHA-256 digest. A context is for one thread at a time; the key is for all.
static int mx_sign(EVP_PKEY *key, const unsigned char *digest, size_t n, unsigned char *sig, size_t *len) {
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int ok = ctx != NULL
		&& EVP_PKEY_sign_init(ctx) > 0
		&& EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0
		&& EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0
		&& EVP_PKEY_sign(ctx, sig, len, digest, n) > 0;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}
*/
import "C"

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"

	"github.com/mxsend/go-mxsend/dkim"
)

// Key is an RSA private key inside libcrypto. It implements crypto.Signer for SHA-256 digests with
// PKCS #1 v1.5, which is what DKIM needs. It is safe for concurrent use. The secret is freed, and
// wiped, when the Key is garbage. Make one with LoadKey or ParseKey; the zero Key is of no use.
type Key struct {
	handle *C.EVP_PKEY
	public *rsa.PublicKey
}

var errUnsupported = errors.New("opensslkey: only SHA-256 digests with PKCS #1 v1.5 are signed")

// LoadKey reads an RSA key from a PEM file, with the checks and errors of [dkim.LoadKey].
func LoadKey(path string) (*Key, error) {
	text, err := dkim.ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("key file %q: %w", path, err)
	}
	return key, nil
}

// ParseKey reads an RSA key from PEM text (PKCS #1 or PKCS #8), with the checks and errors of
// [dkim.ParseKey]. A key that is not RSA is [dkim.ErrNoKey].
func ParseKey(text []byte) (*Key, error) {
	checked, err := dkim.ParseKey(text)
	if err != nil {
		return nil, err
	}
	public, ok := checked.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: opensslkey is for RSA; load this one with package dkim", dkim.ErrNoKey)
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, dkim.ErrNoKey
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		handle := C.mx_parse((*C.uchar)(&block.Bytes[0]), C.long(len(block.Bytes)))
		clear(block.Bytes)
		if handle == nil {
			return nil, fmt.Errorf("%w: OpenSSL does not read the key", dkim.ErrNoKey)
		}
		key := &Key{handle, public}
		runtime.AddCleanup(key, func(h *C.EVP_PKEY) { C.EVP_PKEY_free(h) }, handle)
		return key, nil
	}
}

// Public returns the public half, an *rsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign signs a SHA-256 digest. The reader is not used: OpenSSL has randomness of its own.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errUnsupported
	}
	signature := make([]byte, k.public.Size())
	length := C.size_t(len(signature))
	ok := C.mx_sign(k.handle, (*C.uchar)(&digest[0]), C.size_t(len(digest)), (*C.uchar)(&signature[0]), &length)
	runtime.KeepAlive(k)
	if ok != 1 || int(length) != len(signature) {
		return nil, errors.New("opensslkey: OpenSSL did not make the signature")
	}
	return signature, nil
}

// String returns the kind of key.
func (k *Key) String() string {
	return fmt.Sprintf("RSA-%d private key (OpenSSL)", k.public.N.BitLen())
}

// Format writes String, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue is String for log/slog.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
