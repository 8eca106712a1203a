package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Severity grades a [Finding].
type Severity uint8

// The severities. Only with a SeverityError would signatures fail or be ignored.
const (
	SeverityOK Severity = iota
	SeverityWarning
	SeverityError
)

func (s Severity) String() string {
	return [...]string{"ok", "warning", "error"}[min(s, SeverityError)]
}

// Problem is what a [Finding] is about.
type Problem uint8

// The problems that [Signer.Check] tells apart.
const (
	NoProblem         Problem = iota // the record fits the key
	WeakKey                          // RSA of less than 2048 bits
	NoRSAKey                         // only Ed25519, which part of the receivers does not know
	BrokenKey                        // the key's signatures do not verify with its own public half
	LookupFailed                     // the record could not be looked up; nothing is known about it
	RecordMissing                    // there is no record
	SeveralRecords                   // more than one, of which a verifier picks any
	RecordMalformed                  // not the record of a DKIM key
	RecordCut                        // the record ends after 255 octets
	RecordLong                       // the record does not fit a DNS answer over UDP
	KeyRevoked                       // p= is empty
	KeyMismatch                      // p= is another key
	WrongKeyType                     // k= does not fit the key
	HashNotAllowed                   // h= does not allow sha256
	ServiceNotAllowed                // s= does not allow email
	TestMode                         // t=y: receivers treat the mail as unsigned
	IdentityBelow                    // t=s, but i= is below d=
)

// Finding is one line of the result of [Signer.Check].
type Finding struct {
	Severity Severity
	Problem  Problem
	Domain   string // the signing domain
	Selector string // of the key that it is about; empty: about all keys of the domain
	Text     string // what is so, and what to do
}

// String returns severity, name of the record, and text.
func (f Finding) String() string {
	name := f.Domain
	if f.Selector != "" {
		name = f.Selector + "._domainkey." + f.Domain
	}
	return f.Severity.String() + ": " + name + ": " + f.Text
}

// Check compares every key with its published record, and signs a sample to see that the key works.
// lookupTXT returns the TXT records at a name, each with its strings joined; where there is no such
// name it returns none, or an error that says so (a *net.DNSError with IsNotFound, or any error with
// a method IsNotFound or NotFound that reports true). Nil means net.DefaultResolver.
//
// There is at least one finding a key; one of SeverityOK says that all is well. The error is that of
// ctx: what could not be looked up is a finding of its own.
func (s *Signer) Check(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error)) ([]Finding, error) {
	if lookupTXT == nil {
		lookupTXT = net.DefaultResolver.LookupTXT
	}
	findings := s.Warnings()
	ring := s.keys.Load()
	for i := range ring.keys {
		k := &ring.keys[i]
		if err := s.verifySample(ctx, k); err != nil && ctx.Err() == nil {
			findings = append(findings, Finding{SeverityError, BrokenKey, s.domain, k.Selector,
				"the key's own signature does not verify: " + err.Error()})
		}
		records, err := lookupTXT(ctx, k.Selector+"._domainkey."+s.domain)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && !isNotFound(err) {
			findings = append(findings, Finding{SeverityError, LookupFailed, s.domain, k.Selector,
				fmt.Sprintf("the record could not be looked up, so nothing is known about it; try again: %.200q", err)})
			continue
		}
		found := judgeRecords(records, k.Signer.Public(), s.identityBelow())
		for j := range found {
			found[j].Domain, found[j].Selector = s.domain, k.Selector
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// Warnings tells what can be said against the keys without looking anything up. It is part of what
// Check returns.
func (s *Signer) Warnings() []Finding {
	var findings []Finding
	haveRSA := false
	for _, k := range s.keys.Load().keys {
		if p, ok := k.Signer.Public().(*rsa.PublicKey); ok {
			haveRSA = true
			if bits := p.N.BitLen(); bits < recommendedRSABits {
				findings = append(findings, Finding{SeverityWarning, WeakKey, s.domain, k.Selector,
					fmt.Sprintf("an RSA key of %d bits is weak and some receivers ignore it; rotate to one of 2048 (RFC 8301 §3.2)", bits)})
			}
		}
	}
	if !haveRSA {
		findings = append(findings, Finding{SeverityWarning, NoRSAKey, s.domain, "",
			"there is no RSA key, and receivers that do not know Ed25519 see unsigned mail; sign with both"})
	}
	return findings
}

func (s *Signer) identityBelow() bool {
	return s.identity != "" && !strings.HasSuffix(s.identity, "@"+s.domain)
}

func isNotFound(err error) bool {
	var dns *net.DNSError
	var is interface{ IsNotFound() bool }
	var found interface{ NotFound() bool }
	return errors.As(err, &dns) && dns.IsNotFound ||
		errors.As(err, &is) && is.IsNotFound() ||
		errors.As(err, &found) && found.NotFound()
}

// longRecord is what fits, with header and name, a DNS answer of the 1232 octets that resolvers ask
// for over UDP.
const longRecord = 1100

// judgeRecords compares the records found at a selector with the key.
func judgeRecords(records []string, key crypto.PublicKey, identityBelow bool) []Finding {
	one := func(p Problem, text string) []Finding {
		return []Finding{{Severity: SeverityError, Problem: p, Text: text}}
	}
	switch {
	case len(records) == 0:
		return one(RecordMissing, "there is no record; publish it (see Record), and mind that a missing name is remembered for a while")
	case len(records) > 1:
		return one(SeveralRecords, fmt.Sprintf("there are %d TXT records, and a verifier may take any (RFC 6376 §3.6.2.2); "+
			"leave one. A long value is one record of several strings, not several records", len(records)))
	}
	record := records[0]
	tags, err := parseTagList(record)
	if err != nil {
		if strings.ContainsAny(record, "\"\\") {
			return one(RecordMalformed, "the record has quotation marks or backslashes in it, which belong to zone files only")
		}
		return one(RecordMalformed, "the record is "+err.Error())
	}
	if v, ok := tags.get("v"); ok && (v != "DKIM1" || tags[0].name != "v") {
		return one(RecordMalformed, "v= must be DKIM1 and come first (RFC 6376 §3.6.1)")
	}
	p, ok := tags.get("p")
	if !ok {
		return one(RecordMalformed, "the record has no p=, so it holds no key")
	}
	if p == "" {
		return one(KeyRevoked, "p= is empty: the key is revoked, and its signatures fail; sign with another key")
	}
	findings := judgeKey(tags, withoutFWS(p), len(record), key)
	add := func(s Severity, p Problem, text string) {
		findings = append(findings, Finding{Severity: s, Problem: p, Text: text})
	}
	if !tags.has("h", "sha256", true) {
		add(SeverityError, HashNotAllowed, "h= does not allow sha256; remove h=, sha1 is dead (RFC 8301 §3.1)")
	}
	if !tags.has("s", "*", true) && !tags.has("s", "email", true) {
		add(SeverityError, ServiceNotAllowed, "s= does not allow email; remove s=")
	}
	if tags.has("t", "s", false) && identityBelow {
		add(SeverityError, IdentityBelow, "t=s forbids an i= below d= (RFC 6376 §3.6.1); remove s from t=, or leave Identity empty")
	}
	if tags.has("t", "y", false) {
		add(SeverityWarning, TestMode, "t=y: receivers may treat the mail as unsigned; remove y from t= when the tests are over")
	}
	if len(record) > longRecord {
		add(SeverityWarning, RecordLong, fmt.Sprintf("the record has %d octets and needs DNS over TCP, which some receivers lack; use a shorter key", len(record)))
	}
	if findings == nil {
		findings = []Finding{{Severity: SeverityOK, Text: "the record is the key's"}}
	}
	return findings
}

// judgeKey compares k= and p= with the key. length is that of the whole record.
func judgeKey(tags tagList, p string, length int, key crypto.PublicKey) []Finding {
	one := func(problem Problem, text string) []Finding {
		return []Finding{{Severity: SeverityError, Problem: problem, Text: text}}
	}
	want := "rsa"
	if _, ok := key.(ed25519.PublicKey); ok {
		want = "ed25519"
	}
	k, ok := tags.get("k")
	if !ok {
		k = "rsa" // RFC 6376 §3.6.1
	}
	if k != want {
		return one(WrongKeyType, fmt.Sprintf("k= says %.20q, the key is %s; publish what Record gives", k, want))
	}
	der, err := base64.StdEncoding.DecodeString(p)
	var published crypto.PublicKey
	if err == nil {
		published, err = parsePublicKey(der, want)
	}
	switch {
	case err != nil && length >= 250 && length <= 256:
		return one(RecordCut, fmt.Sprintf("the record ends after %d octets, in the middle of the key: cut the value into several strings of at most 255 octets", length))
	case err != nil:
		return one(RecordMalformed, "p= does not hold a key of the kind that k= says; publish what Record gives")
	}
	if e, ok := published.(interface{ Equal(crypto.PublicKey) bool }); !ok || !e.Equal(key) {
		return one(KeyMismatch, "p= is another key than the one that signs; publish what Record gives, or sign with the key that is published")
	}
	return nil
}

// parsePublicKey reads p= of a record. RFC 6376 is of two minds about the form of an RSA key, so
// both are read, as verifiers do (errata 3017).
func parsePublicKey(der []byte, kind string) (crypto.PublicKey, error) {
	if kind == "ed25519" {
		if len(der) != ed25519.PublicKeySize {
			return nil, errors.New("not 32 octets")
		}
		return ed25519.PublicKey(der), nil
	}
	if p, err := x509.ParsePKIXPublicKey(der); err == nil {
		return p, nil
	}
	return x509.ParsePKCS1PublicKey(der)
}
