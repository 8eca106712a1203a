package dkim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// Verify checks that signed, a message with what Sign returned before it, bears a valid signature of
// every key of s. It does so with a verifier that has nothing in common with Sign (go-msgauth), and
// with the public halves of the keys at hand instead of DNS, so it does no I/O. It is a self-check,
// meant for tests and for a first mail with a new key; it costs many times what Sign does.
func (s *Signer) Verify(signed []byte) error {
	ring := s.keys.Load()
	keys := make([]*preparedKey, len(ring.keys))
	for i := range ring.keys {
		keys[i] = &ring.keys[i]
	}
	return s.verify(signed, keys)
}

var (
	errNoRecord    = errors.New("not a key of this signer")
	errNoSignature = errors.New("a key has no signature in the message")
)

func (s *Signer) verify(signed []byte, keys []*preparedKey) error {
	asked := map[string]int{}
	lookup := func(name string) ([]string, error) {
		for _, k := range keys {
			if strings.EqualFold(name, k.Selector+"._domainkey."+s.domain) {
				record, err := Record(k.Signer.Public())
				return []string{record}, err
			}
		}
		return nil, errNoRecord
	}
	// One field at a time, so that a foreign signature in the message is of no consequence and
	// each verdict belongs to a key.
	fields, rest, err := splitSignatures(signed)
	if err != nil {
		return err
	}
	for _, f := range fields {
		tags, err := parseTagList(f.value)
		if err != nil {
			continue
		}
		selector, _ := tags.get("s")
		domain, _ := tags.get("d")
		if domain != s.domain || !slices.ContainsFunc(keys, func(k *preparedKey) bool { return k.Selector == selector }) {
			continue
		}
		asked[selector]++
		one := append(bytes.Clone(f.text), rest...)
		verdicts, err := msgauth.VerifyWithOptions(bytes.NewReader(one), &msgauth.VerifyOptions{LookupTXT: lookup})
		if err == nil && len(verdicts) != 1 {
			err = errNoSignature
		}
		if err == nil {
			err = verdicts[0].Err
		}
		if err != nil {
			return fmt.Errorf("dkim: selector %.64q: %w", selector, err)
		}
	}
	for _, k := range keys {
		if asked[k.Selector] == 0 {
			return fmt.Errorf("dkim: selector %.64q: %w", k.Selector, errNoSignature)
		}
	}
	return nil
}

type signatureField struct {
	text  []byte
	value string
}

// splitSignatures takes the DKIM-Signature fields out of a message.
func splitSignatures(signed []byte) (fields []signatureField, rest []byte, err error) {
	var h header
	if err := h.scan(signed, fromOnly); err != nil {
		return nil, nil, err
	}
	for i := range h.fields {
		f := &h.fields[i]
		text := signed[f.start : f.end+len(crlf)]
		if strings.EqualFold(string(signed[f.start:f.start+f.nameLen]), "DKIM-Signature") {
			fields = append(fields, signatureField{text, string(signed[f.colon+1 : f.end])})
		} else {
			rest = append(rest, text...)
		}
	}
	return fields, append(rest, signed[h.body-len(crlf):]...), nil
}

// verifySample signs a made-up message with one key and verifies it.
func (s *Signer) verifySample(ctx context.Context, k *preparedKey) error {
	one := &Signer{domain: s.domain, identity: s.identity, names: s.names, oneClick: s.oneClick, now: s.now}
	one.keys.Store(&keyring{keys: []preparedKey{*k}})
	sample := []byte("From: <postmaster@" + s.domain + ">\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n" +
		"Message-ID: <sample@" + s.domain + ">\r\n\r\nA sample.\r\n")
	fields, err := one.Sign(ctx, sample)
	if err != nil {
		return err
	}
	return one.verify(append(fields, sample...), []*preparedKey{k})
}
