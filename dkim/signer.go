package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Signer signs messages for one domain. It is safe for concurrent use and takes no lock to sign.
type Signer struct {
	domain     string // lower case, A-labels
	unicode    string // the same with U-labels; empty where that makes no difference
	identity   string // the value of i=, encoded
	unaligned  bool
	oneClick   bool // List-Unsubscribe and List-Unsubscribe-Post are both signed
	expiration time.Duration
	now        func() time.Time
	names      *nameTable
	keys       atomic.Pointer[keyring]
	memory     bodyMemory
	lists      listMemory
	workspaces sync.Pool
}

// keyring is a set of keys as SetKeys put it; never changed.
type keyring struct {
	keys []preparedKey
	room int // octets that the fields of all keys take, but for h=
}

type preparedKey struct {
	Key
	options    crypto.SignerOpts
	raw, canon string // the field up to the tags that differ from message to message
}

// workspace is what one Sign needs beside its result. It holds no reference to a message.
type workspace struct {
	header header
	body   *bodyHasher
	hash   []byte
	canon  []byte
	digest [sha256.Size]byte
	base64 []byte
	list   nameList
	ids    []byte
}

// maxKept is how much of a workspace, in octets, is kept for the next message.
const maxKept = 256 << 10

// NewSigner checks cfg as a whole and reports everything that is wrong with it at once. It does no
// I/O.
func NewSigner(cfg Config) (*Signer, error) {
	s, err := cfg.signer()
	err = errors.Join(err, s.SetKeys(cfg.Keys))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// SetKeys replaces the keys: messages whose Sign began before are signed with the old ones, all later
// ones with the new. On an error the old keys stay.
//
// To rotate without a pause publish the new record, wait until [Signer.CheckRecords] of a signer with the
// new key is content, call SetKeys, and take the old record down only when no mail signed with the
// old key can be on its way any more (the relays' queue lifetime and some days).
func (s *Signer) SetKeys(keys []Key) error {
	ring, err := s.prepare(keys)
	if err != nil {
		return err
	}
	s.keys.Store(ring)
	return nil
}

func (s *Signer) prepare(keys []Key) (*keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("dkim: no Keys: give at least one")
	}
	var errs []error
	ring := &keyring{}
	selectors := map[string]bool{}
	for _, k := range keys {
		algorithm, err := checkKey(k)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if name := strings.ToLower(k.Selector); selectors[name] {
			errs = append(errs, fmt.Errorf("dkim: selector %.64q is used for two keys", k.Selector))
		} else {
			selectors[name] = true
		}
		if n := len(k.Selector) + len("._domainkey.") + len(s.domain); n > 253 {
			errs = append(errs, fmt.Errorf("dkim: selector %.64q: the name of its record has %d octets, DNS takes 253", k.Selector, n))
		}
		p := preparedKey{Key: k, options: crypto.SHA256}
		if _, ok := k.Signer.Public().(ed25519.PublicKey); ok {
			p.options = crypto.Hash(0) // RFC 8463 §3: the hash is the message that is signed
		}
		w := fieldWriter{raw: []byte("DKIM-Signature: v=1;"), canon: []byte("dkim-signature:v=1;"), column: 20}
		w.tag("a", algorithm)
		w.tag("c", "relaxed/relaxed")
		w.tag("d", s.domain)
		w.tag("s", k.Selector)
		if s.identity != "" {
			w.tag("i", s.identity)
		}
		p.raw, p.canon = string(w.raw), string(w.canon)
		ring.keys = append(ring.keys, p)
		ring.room += len(p.raw) + fieldRoom(k.Signer.Public())
	}
	return ring, errors.Join(errs...)
}

// Sign returns one DKIM-Signature field for each key, in the order of the keys, each ended by CRLF,
// to be put before content. Content is a complete message (RFC 5322) with CRLF line ends: the
// signature is about exactly these octets. A bare LF is refused like all that would not arrive as it
// is; see [Prepare]. Sign does not modify content and keeps nothing of it, but for a copy of a body
// that comes again and again (see the package documentation).
//
// The error is a [*Refusal] where the message is at fault, else that of ctx or of a key.
func (s *Signer) Sign(ctx context.Context, content []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, _ := s.workspaces.Get().(*workspace)
	if w == nil {
		w = &workspace{body: newBodyHasher(sha256.New())}
	}
	defer func() {
		if cap(w.canon) <= maxKept && cap(w.header.fields) <= maxKept/64 {
			s.workspaces.Put(w)
		}
	}()
	if err := w.header.scan(content, s.names); err != nil {
		return nil, err
	}
	if err := s.judge(content, &w.header); err != nil {
		return nil, err
	}
	body := content[w.header.body:]
	known := false
	if w.hash, known = s.memory.find(w.hash[:0], body); !known {
		var err error
		if w.hash, err = w.body.sum(w.hash[:0], body, w.header.lines); err != nil {
			return nil, err
		}
		s.memory.note(body, w.hash)
	}
	return s.write(ctx, content, w)
}

// write makes the fields from what is known of the message.
func (s *Signer) write(ctx context.Context, content []byte, w *workspace) ([]byte, error) {
	ring := s.keys.Load()
	now, lifetime := max(0, s.now().Unix()), int64(s.expiration/time.Second)
	list := s.lists.get(content, w, s.names)
	if len(list.raw) > maxField/2 {
		return nil, &Refusal{Reason: FieldTooLong, Field: "DKIM-Signature"}
	}
	canon := w.canon[:0]
	for i := len(w.header.fields) - 1; i >= 0; i-- {
		if f := &w.header.fields[i]; f.signed {
			canon = f.appendRelaxed(canon, content, s.names)
		}
	}
	signed := len(canon)
	out := fieldWriter{raw: make([]byte, 0, ring.room+len(list.raw)*len(ring.keys))}
	for i := range ring.keys {
		if i > 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		k := &ring.keys[i]
		out.raw = append(out.raw, k.raw...)
		out.canon = append(canon[:signed], k.canon...)
		out.times(now, lifetime)
		out.raw = append(out.raw, list.raw...)
		out.canon = append(out.canon, list.canon...)
		out.bodyHash(w.hash)
		canon = out.canon
		w.canon = canon
		w.digest = sha256.Sum256(canon)
		signature, err := k.Signer.Sign(rand.Reader, w.digest[:], k.options)
		if err != nil {
			return nil, fmt.Errorf("dkim: signing with selector %q: %w", k.Selector, err)
		}
		w.base64 = base64.StdEncoding.AppendEncode(w.base64[:0], signature)
		out.raw = appendFolded(out.raw, w.base64)
	}
	return out.raw, nil
}

// Domain returns the domain that s signs for, in lower case and as A-labels.
func (s *Signer) Domain() string { return s.domain }

// String returns the domain and the selectors, never a secret.
func (s *Signer) String() string {
	var b strings.Builder
	b.WriteString("dkim.Signer for " + s.domain)
	for i, k := range s.keys.Load().keys {
		b.WriteString([]string{": ", ", "}[min(i, 1)])
		b.WriteString(k.Key.String())
	}
	return b.String()
}

// GoString is String for %#v.
func (s *Signer) GoString() string { return s.String() }

// Format writes String, whatever the verb.
func (s *Signer) Format(f fmt.State, verb rune) { formatHidden(f, verb, s.String(), s.String()) }

// LogValue is String for log/slog.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }
