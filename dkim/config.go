package dkim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// DefaultQueueLifetime is how long a relay tries to deliver a mail: maximal_queue_lifetime of
// Postfix.
const DefaultQueueLifetime = 5 * 24 * time.Hour

// Config says how a [Signer] signs. Domain and Keys are required; the zero value of anything else is
// a good choice. NewSigner copies it.
type Config struct {
	// Domain is the signing domain, d=. Letters beyond ASCII are converted to A-labels.
	Domain string
	// Keys are the keys to sign with, each in a field of its own: an RSA key, which every verifier
	// knows, and beside it perhaps an Ed25519 key (RFC 8463), under selectors of their own.
	Keys []Key
	// Headers are the names of the fields to sign, each as often as it is present; a "*" at the end
	// stands for any rest. From must be among them. Nil: [DefaultHeaders]. Those of From, To, Cc,
	// Subject, Date, Message-ID, Reply-To, MIME-Version, Content-Type and Content-Transfer-Encoding
	// that it covers are oversigned: none can be added on the way.
	Headers []string
	// Identity is the agent or user on whose behalf the mail is signed, i=: an address, or "@" and a
	// domain, in Domain or below it. Empty: none is given.
	Identity string
	// AllowUnaligned lets mail through whose From is outside Domain. DMARC does not count such a
	// signature.
	AllowUnaligned bool
	// Expiration is how long a signature is valid, x=. Zero: forever. It cannot be shorter than
	// QueueLifetime, or mail would arrive with a signature that has expired on its way.
	Expiration time.Duration
	// QueueLifetime is how long mail may stay in the relays' queues. Zero: DefaultQueueLifetime. A
	// mail handed from relay to relay starts its time again at each.
	QueueLifetime time.Duration
	// Now gives the time for t= and x=. Nil: time.Now.
	Now func() time.Time
}

// signer makes all of a Signer but its keys. It returns one, good enough to check keys with, even
// where there is an error.
func (cfg *Config) signer() (*Signer, error) {
	var errs []error
	s := &Signer{
		unaligned:  cfg.AllowUnaligned,
		expiration: cfg.Expiration,
		now:        cfg.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.domain, s.unicode, err = signingDomain(cfg.Domain); err != nil {
		errs = append(errs, err)
	}
	if s.identity, err = encodeIdentity(cfg.Identity, s.domain); err != nil {
		errs = append(errs, err)
	}
	if s.names, err = newNameTable(cfg.Headers); err != nil {
		errs = append(errs, err)
	}
	s.oneClick = s.names.signs("list-unsubscribe") && s.names.signs("list-unsubscribe-post")
	lifetime := cfg.QueueLifetime
	if lifetime == 0 {
		lifetime = DefaultQueueLifetime
	}
	if lifetime < 0 {
		errs = append(errs, errors.New("dkim: QueueLifetime is negative"))
	}
	if cfg.Expiration < 0 {
		errs = append(errs, errors.New("dkim: Expiration is negative; leave it zero for signatures that do not expire"))
	} else if cfg.Expiration > 0 && cfg.Expiration < lifetime {
		errs = append(errs, fmt.Errorf("dkim: Expiration of %v is below the queue lifetime of %v: mail that waits would arrive with an expired signature", cfg.Expiration, lifetime))
	}
	return s, errors.Join(errs...)
}

// signingDomain returns domain with A-labels and, where that differs, with U-labels.
func signingDomain(domain string) (ascii, unicode string, err error) {
	if domain == "" {
		return "", "", errors.New("dkim: no Domain: give the domain that the keys' records are published in")
	}
	ascii, err = idna.Lookup.ToASCII(strings.ToLower(domain))
	if err != nil {
		ascii = strings.ToLower(domain)
	}
	if !isDomain(ascii) {
		return ascii, "", fmt.Errorf("dkim: Domain %.64q is no domain name", domain)
	}
	if unicode, err = idna.Display.ToUnicode(ascii); err != nil || unicode == ascii {
		unicode = ""
	}
	return ascii, unicode, nil
}

// encodeIdentity checks the value of i= against d= and encodes its local part (RFC 6376 §3.5).
func encodeIdentity(identity, domain string) (string, error) {
	if identity == "" {
		return "", nil
	}
	at := strings.LastIndexByte(identity, '@')
	if at < 0 {
		return "", errors.New("dkim: Identity is no address: give local@domain or @domain")
	}
	host, err := idna.Lookup.ToASCII(strings.ToLower(identity[at+1:]))
	if err != nil || !isDomain(host) || host != domain && !strings.HasSuffix(host, "."+domain) {
		return "", fmt.Errorf("dkim: Identity is not in %s or below it (RFC 6376 §3.5)", domain)
	}
	return encodeQuotedPrintable(identity[:at]) + "@" + host, nil
}

// encodeQuotedPrintable writes s as dkim-quoted-printable (RFC 6376 §2.11). It encodes a "b" before
// another encoded octet as well: some verifiers, go-msgauth among them, would take "b=3D" for the tag
// b=.
func encodeQuotedPrintable(s string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != ';' && c != '=' }
	var b strings.Builder
	for i, c := range []byte(s) {
		if plain(c) && (c != 'b' || i+1 == len(s) || plain(s[i+1])) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}
