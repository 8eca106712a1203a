package verp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

const (
	// maxLocal is the longest local part, in octets (RFC 5321 §4.5.3.1.1).
	maxLocal = 64

	defaultValidity      = 30 * 24 * time.Hour
	defaultQueueLifetime = 5 * 24 * time.Hour // RFC 5321 §4.5.4.1: "at least 4-5 days"; Postfix's default

	// futureDays is how far ahead of this clock a day of issue may be: the
	// signing host's clock may be fast, and midnight may lie between.
	futureDays = 1
)

// Errors of Decode. They are verdicts, not accidents: an application tells
// them apart with errors.Is and treats each in its own way.
var (
	// ErrForeign: the address is not of this Codec's form at all: another
	// domain, or another local part.
	ErrForeign = errors.New("verp: not one of this codec's return paths")
	// ErrForged: the address has this Codec's domain and prefix, but no key
	// of the Config has signed it.
	ErrForged = errors.New("verp: the token is not signed by any of the configured keys")
	// ErrExpired: the token is genuine but older than Config.Validity, or
	// comes from the future by more than a clock can be wrong.
	ErrExpired = errors.New("verp: the token is genuine, but outside its time of validity")
)

// ErrIDTooLong: an id has more octets than fit, 16 in general.
var ErrIDTooLong = errors.New("verp: the id is too long")

// Config configures a Codec. Domain and Keys are required.
type Config struct {
	// Prefix and Delimiter precede the token: the Prefix "b" gives
	// b+token@Domain. Letters, digits, '-', '_' and '.' are allowed. Without
	// a Prefix the token stands alone, for a domain of its own.
	Prefix string

	// Delimiter is one of '+', '-', '=', '_' and '.'. Zero: '+', the
	// recipient_delimiter of most Postfix setups.
	Delimiter byte

	// Domain is the domain of the return paths. Letters beyond ASCII are
	// converted to A-labels, which Encode writes; Decode reads both.
	Domain string

	// Keys: the first signs, all are accepted. They are copied.
	Keys []Key

	// Validity is the age up to which a token is accepted, in whole days.
	// Zero: 30 days. It must cover the time that a mail may wait in the relays'
	// queues and the time that its bounce may then wait on its way back, or
	// genuine bounces would be refused: New rejects less than twice
	// QueueLifetime.
	Validity time.Duration

	// QueueLifetime is the relays' maximal_queue_lifetime (bounce_queue_lifetime,
	// where that is longer). Zero: 5 days, Postfix's default for both.
	QueueLifetime time.Duration

	// Now is the clock, of any year. Nil: time.Now.
	Now func() time.Time
}

// Codec writes and reads signed return paths. It is safe for concurrent use.
type Codec struct {
	prefix   string // lower case, delimiter included; empty for none
	domain   string // in ASCII and lower case
	idn      bool   // domain is also written in other letters
	validity time.Duration
	now      func() time.Time
	maxID    int
	first    *signer
	signers  [256]*signer
}

// Token is what a genuine return path says.
type Token struct {
	ID     []byte    // as given to Encode
	Issued time.Time // the start of the UTC day on which it was signed
}

// New returns a Codec, or an error that lists everything wrong with cfg.
func New(cfg Config) (*Codec, error) {
	if cfg.Delimiter == 0 {
		cfg.Delimiter = '+'
	}
	if cfg.Validity == 0 {
		cfg.Validity = defaultValidity
	}
	if cfg.QueueLifetime == 0 {
		cfg.QueueLifetime = defaultQueueLifetime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ascii, err := asciiDomain(cfg.Domain)
	if err := errors.Join(checkPrefix(cfg), err, checkKeys(cfg.Keys), checkValidity(cfg)); err != nil {
		return nil, err
	}
	c := &Codec{
		domain:   ascii,
		idn:      ascii != strings.ToLower(cfg.Domain) || strings.Contains(ascii, "xn--"),
		validity: cfg.Validity,
		now:      cfg.Now,
		maxID:    maxID,
	}
	if cfg.Prefix != "" {
		c.prefix = strings.ToLower(cfg.Prefix) + string(rune(cfg.Delimiter))
	}
	for _, k := range cfg.Keys {
		s := newSigner(k, c.domain)
		if c.first == nil {
			c.first = s
		}
		c.signers[k.ID] = s
	}
	return c, nil
}

// Encode returns a return path that carries id, at most 16 octets. Its local
// part has at most 64 octets, all of them lower-case letters, digits and the
// Prefix's own, so that it survives relays that change case.
//
// The same id gives the same address all day (UTC). The error is ErrIDTooLong
// or nil.
func (c *Codec) Encode(id []byte) (string, error) {
	if len(id) > c.maxID {
		return "", fmt.Errorf("%w: %d octets, at most %d are possible", ErrIDTooLong, len(id), c.maxID)
	}
	var buf [320]byte
	b := append(buf[:0], c.prefix...)
	b = c.appendToken(b, id)
	b = append(b, '@')
	b = append(b, c.domain...)
	return string(b), nil
}

// MessageID returns a Message-ID, angle brackets included, that carries the
// same token as Encode's return path and a random part behind it, so that two
// mails with the same id are still told apart. Decode reads it.
func (c *Codec) MessageID(id []byte) (string, error) { return c.messageID(id, "<", ">") }

// BareMessageID is MessageID without the angle brackets, for libraries that add
// them: go-mail's SetMessageIDWithValue, go-message's SetMessageID.
func (c *Codec) BareMessageID(id []byte) (string, error) { return c.messageID(id, "", "") }

func (c *Codec) messageID(id []byte, before, behind string) (string, error) {
	if len(id) > c.maxID {
		return "", fmt.Errorf("%w: %d octets, at most %d are possible", ErrIDTooLong, len(id), c.maxID)
	}
	var buf [320]byte
	b := append(buf[:0], before...)
	b = c.appendToken(b, id)
	b = append(b, '.')
	b = appendNonce(b)
	b = append(b, '@')
	b = append(b, c.domain...)
	b = append(b, behind...)
	return string(b), nil
}

// Decode reads an address written by Encode, or a Message-ID written by
// MessageID, with or without angle brackets and in any case. An address that a
// relay has wrapped as BATV (prvs=) is unwrapped first.
//
// The error is ErrForeign, ErrForged or ErrExpired; with ErrExpired, the Token
// is filled. Signatures are compared in constant time.
func (c *Codec) Decode(address string) (Token, error) {
	local, domain, ok := splitAddress(address)
	if !ok || !c.isDomain(strings.TrimSuffix(domain, ".")) {
		return Token{}, ErrForeign
	}
	if inner, ok := batvLocal(local); ok {
		local = inner
	}
	text, ours := c.tokenText(local)
	if !ours {
		return Token{}, ErrForeign
	}
	var raw [maxRaw]byte
	n, ok := decodeToken(&raw, text)
	if !ok {
		if c.prefix == "" {
			return Token{}, ErrForeign
		}
		return Token{}, ErrForged
	}
	signer := c.signers[raw[0]]
	if signer == nil || !signer.verify(raw[:n]) {
		return Token{}, ErrForged
	}
	now := c.now()
	t := Token{
		ID:     append(make([]byte, 0, n-overhead), raw[headLen:n-macLen]...),
		Issued: dayStart(uint16(raw[1])<<8|uint16(raw[2]), now),
	}
	if !c.current(t.Issued, now) {
		return t, ErrExpired
	}
	return t, nil
}

// isDomain reports whether a domain is the Codec's.
func (c *Codec) isDomain(domain string) bool {
	if equalFold(domain, c.domain) {
		return true
	}
	if !c.idn || isASCII(domain) {
		return false
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	return err == nil && ascii == c.domain
}

// Domain returns the domain of the return paths, in ASCII and lower case.
func (c *Codec) Domain() string { return c.domain }

// tokenText finds the token in a local part: behind the prefix, or before the
// random part of a Message-ID.
func (c *Codec) tokenText(local string) (text string, ours bool) {
	if i := len(local) - nonceText - 1; i > 0 && local[i] == '.' && (c.prefix == "" || !hasPrefixFold(local, c.prefix)) {
		return local[:i], isToken(local[:i])
	}
	if !hasPrefixFold(local, c.prefix) {
		return "", false
	}
	return local[len(c.prefix):], true
}

// current reports whether a token issued on the day that starts at issued is
// acceptable now. Validity counts from the end of that day.
func (c *Codec) current(issued, now time.Time) bool {
	return !issued.After(now.Add(futureDays*24*time.Hour)) && now.Before(issued.Add(24*time.Hour+c.validity))
}

// appendToken appends the text of a token for id.
func (c *Codec) appendToken(b []byte, id []byte) []byte {
	var raw [maxRaw]byte
	day := dayOf(c.now())
	raw[0], raw[1], raw[2] = c.first.id, byte(day>>8), byte(day)
	n := headLen + copy(raw[headLen:], id)
	c.first.sign(&raw, n)
	return encoding.AppendEncode(b, raw[:n+macLen])
}

func checkPrefix(cfg Config) error {
	if strings.IndexByte("+-=_.", cfg.Delimiter) < 0 {
		return fmt.Errorf("verp: Delimiter %q: use one of + - = _ .", cfg.Delimiter)
	}
	// The longest token must fit behind it (RFC 5321 §4.5.3.1.1).
	if most := maxLocal - maxText - 1; len(cfg.Prefix) > most {
		return fmt.Errorf("verp: Prefix has %d octets: at most %d leave room for the token", len(cfg.Prefix), most)
	}
	for i := range len(cfg.Prefix) {
		if ch := cfg.Prefix[i]; !isAlnum(ch) && ch != '-' && ch != '_' && ch != '.' {
			return fmt.Errorf("verp: Prefix contains %q: use letters, digits, '-', '_' and '.'", ch)
		}
	}
	if strings.HasPrefix(cfg.Prefix, ".") || strings.Contains(cfg.Prefix+string(rune(cfg.Delimiter)), "..") {
		return errors.New("verp: Prefix and Delimiter give a local part with a dot at its start or two in a row")
	}
	if equalFold(cfg.Prefix, "prvs") && cfg.Delimiter == '=' {
		return errors.New("verp: Prefix and Delimiter give prvs=, which belongs to BATV: use another")
	}
	return nil
}

// asciiDomain checks a domain and returns it in ASCII and lower case.
func asciiDomain(domain string) (string, error) {
	if domain == "" {
		return "", errors.New("verp: no Domain: name the domain of the return paths")
	}
	if !isASCII(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return "", fmt.Errorf("verp: Domain %q is not a domain name: %w", domain, err)
		}
		domain = ascii
	}
	if len(domain) > 253 {
		return "", fmt.Errorf("verp: Domain has %d octets: at most 253 are possible", len(domain))
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("verp: Domain %q has an empty or over-long label", domain)
		}
		for i := range len(label) {
			if !isAlnum(label[i]) && label[i] != '-' && label[i] != '_' {
				return "", fmt.Errorf("verp: Domain %q is not a domain name: %q is not allowed", domain, label[i])
			}
		}
	}
	return strings.ToLower(domain), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func checkValidity(cfg Config) error {
	if cfg.QueueLifetime < 0 {
		return fmt.Errorf("verp: QueueLifetime is negative")
	}
	if cfg.Validity >= maxValidity {
		return fmt.Errorf("verp: Validity %v is too long: days of issue repeat after %v", cfg.Validity, 2*maxValidity)
	}
	if least := 2 * cfg.QueueLifetime; cfg.Validity < least {
		return fmt.Errorf("verp: Validity %v is under %v, twice the relays' queue lifetime, so genuine bounces would be refused: raise it, or set QueueLifetime to what the relays really use", cfg.Validity, least)
	}
	return nil
}
