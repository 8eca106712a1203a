package verp

import (
	"errors"
	"fmt"
	"log/slog"
)

// minSecret is the shortest accepted secret, in octets.
const minSecret = 16

// Key is a secret that signs tokens. Its ID travels in the token, so that
// several keys can be accepted while one is being replaced by the next.
//
// To rotate: put the new key, with an ID of its own, before the old one. Once
// the last token of the old key has expired, drop the old key.
type Key struct {
	ID     byte   // names the key in tokens; unique within a Config
	Secret []byte // at least 16 random octets; 32 are a good choice
}

// String hides the secret.
func (k Key) String() string { return fmt.Sprintf("verp.Key(%d)", k.ID) }

// GoString hides the secret.
func (k Key) GoString() string { return k.String() }

// Format hides the secret from every verb of package fmt, %x and %d included.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue hides the secret.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// checkKeys returns everything that is wrong with a set of keys.
func checkKeys(keys []Key) error {
	if len(keys) == 0 {
		return errors.New("verp: no Keys: at least one key is needed to sign with")
	}
	var errs []error
	var seen [256]bool
	for _, k := range keys {
		if len(k.Secret) < minSecret {
			errs = append(errs, fmt.Errorf("verp: the secret of key %d has %d octets: use at least %d random ones", k.ID, len(k.Secret), minSecret))
		}
		if seen[k.ID] {
			errs = append(errs, fmt.Errorf("verp: two keys have the ID %d: give each an ID of its own", k.ID))
		}
		seen[k.ID] = true
	}
	return errors.Join(errs...)
}
