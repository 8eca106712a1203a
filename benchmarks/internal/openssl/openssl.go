// Package openssl makes RSA keys inside OpenSSL's libcrypto where dkim/opensslkey is built in.
package openssl

import "errors"

// ErrNotBuilt says that there is no such key in this program.
var ErrNotBuilt = errors.New("not built with -tags openssl")
