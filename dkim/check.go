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
	"slices"
	"strings"
)

// A finding is one thing that is so of a key or of its published record.
type finding struct {
	severity string // one of those below
	subject  string // the name of the record, or the signing domain where it is about all keys
	text     string // what is so, and what to do
}

// The severities. Only with an error would signatures fail or be ignored.
const (
	fine    = "ok"
	warning = "warning"
	failure = "error"
)

// CheckRecords compares every key with its published record, and signs a sample to see that the key
// works. It calls report for each finding: severity is "ok", "warning", or "error" where signatures
// would fail or be ignored; subject is the name of the record, or the signing domain where the finding
// is about all of its keys; text says what is so, and what to do. There is at least one finding a key;
// an "ok" says that all is well with it.
//
// lookupTXT returns the TXT records at a name, each with its strings joined; where there is no such
// name it returns none, or an error that says so (a *net.DNSError with IsNotFound, or any error with
// a method IsNotFound or NotFound that reports true). Nil means net.DefaultResolver.
//
// The error is that of ctx, and nothing is reported then; what could not be looked up is a finding of
// its own. CheckRecords makes a Signer what mxsend calls a RecordChecker.
func (s *Signer) CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	return reportAll(ctx, []*Signer{s}, lookupTXT, report)
}

// CheckRecords does what [Signer.CheckRecords] does, for all signers in the order they were given in.
func (d *DomainSigner) CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	return reportAll(ctx, d.all, lookupTXT, report)
}

func reportAll(ctx context.Context, signers []*Signer, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	if lookupTXT == nil {
		lookupTXT = net.DefaultResolver.LookupTXT
	}
	var all []finding
	for _, s := range signers {
		findings, err := s.check(ctx, lookupTXT)
		if err != nil {
			return err
		}
		all = append(all, findings...)
	}
	for _, f := range all {
		report(f.severity, f.subject, f.text)
	}
	return nil
}

// check returns what CheckRecords reports of one signer.
func (s *Signer) check(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error)) ([]finding, error) {
	ring := s.keys.Load()
	findings := s.weaknesses(ring.keys)
	for i := range ring.keys {
		k := &ring.keys[i]
		name := s.recordName(k.Selector)
		if err := s.verifySample(ctx, k); err != nil && ctx.Err() == nil {
			findings = append(findings, finding{failure, name, "the key's own signature does not verify: " + err.Error()})
		}
		records, err := lookupTXT(ctx, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && !isNotFound(err) {
			findings = append(findings, finding{failure, name,
				fmt.Sprintf("the record could not be looked up, so nothing is known about it; try again: %.200q", err)})
			continue
		}
		for _, f := range judgeRecords(records, k.Signer.Public(), s.identityBelow()) {
			f.subject = name
			findings = append(findings, f)
		}
	}
	return findings, nil
}

func (s *Signer) recordName(selector string) string { return selector + "._domainkey." + s.domain }

// weaknesses tells what can be said against the keys without looking anything up.
func (s *Signer) weaknesses(keys []preparedKey) []finding {
	var findings []finding
	haveRSA := false
	for _, k := range keys {
		if p, ok := k.Signer.Public().(*rsa.PublicKey); ok {
			haveRSA = true
			if bits := p.N.BitLen(); bits < recommendedRSABits {
				findings = append(findings, finding{warning, s.recordName(k.Selector),
					fmt.Sprintf("an RSA key of %d bits is weak and some receivers ignore it; rotate to one of 2048 (RFC 8301 §3.2)", bits)})
			}
		}
	}
	if !haveRSA {
		findings = append(findings, finding{warning, s.domain,
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
func judgeRecords(records []string, key crypto.PublicKey, identityBelow bool) []finding {
	switch {
	case len(records) == 0:
		return wrong("there is no record; publish it (see Record), and mind that a missing name is remembered for a while")
	case len(records) > 1:
		return wrong(fmt.Sprintf("there are %d TXT records, and a verifier may take any (RFC 6376 §3.6.2.2); "+
			"leave one. A long value is one record of several strings, not several records", len(records)))
	}
	record := records[0]
	findings := judgeRecord(record, key, identityBelow)
	isFailure := func(f finding) bool { return f.severity == failure }
	if slices.ContainsFunc(findings, isFailure) && strings.ContainsAny(record, "\"\\") {
		// Whatever it came to, it came from these.
		return wrong(fmt.Sprintf("the record has quotation marks or backslashes in it, which belong to zone files only; publish it without them: %#.120q", record))
	}
	return findings
}

// judgeRecord compares the one record with the key.
func judgeRecord(record string, key crypto.PublicKey, identityBelow bool) []finding {
	tags, err := parseTagList(record)
	if err != nil {
		return wrong(fmt.Sprintf("the record is %v: %#.120q", err, record))
	}
	if v, ok := tags.get("v"); ok && (v != "DKIM1" || tags[0].name != "v") {
		return wrong("v= must be DKIM1 and come first (RFC 6376 §3.6.1)")
	}
	p, ok := tags.get("p")
	if !ok {
		return wrong("the record has no p=, so it holds no key")
	}
	if p == "" {
		return wrong("p= is empty: the key is revoked, and its signatures fail; sign with another key")
	}
	findings := judgeKey(tags, withoutFWS(p), len(record), key)
	add := func(severity, text string) {
		findings = append(findings, finding{severity: severity, text: text})
	}
	if !tags.has("h", "sha256", true) {
		add(failure, "h= does not allow sha256; remove h=, sha1 is dead (RFC 8301 §3.1)")
	}
	if !tags.has("s", "*", true) && !tags.has("s", "email", true) {
		add(failure, "s= does not allow email; remove s=")
	}
	if tags.has("t", "s", false) && identityBelow {
		add(failure, "t=s forbids an i= below d= (RFC 6376 §3.6.1); remove s from t=, or leave Identity empty")
	}
	if tags.has("t", "y", false) {
		add(warning, "t=y: receivers may treat the mail as unsigned; remove y from t= when the tests are over")
	}
	if len(record) > longRecord {
		add(warning, fmt.Sprintf("the record has %d octets and needs DNS over TCP, which some receivers lack; use a shorter key", len(record)))
	}
	if findings == nil {
		findings = []finding{{severity: fine, text: "the record is the key's"}}
	}
	return findings
}

// wrong is the one finding that a signature would fail.
func wrong(text string) []finding { return []finding{{severity: failure, text: text}} }

// judgeKey compares k= and p= with the key. length is that of the whole record.
func judgeKey(tags tagList, p string, length int, key crypto.PublicKey) []finding {
	want := "rsa"
	if _, ok := key.(ed25519.PublicKey); ok {
		want = "ed25519"
	}
	k, ok := tags.get("k")
	if !ok {
		k = "rsa" // RFC 6376 §3.6.1
	}
	if k != want {
		return wrong(fmt.Sprintf("k= says %.20q, the key is %s; publish what Record gives", k, want))
	}
	der, err := base64.StdEncoding.DecodeString(p)
	var published crypto.PublicKey
	if err == nil {
		published, err = parsePublicKey(der, want)
	}
	switch {
	case err != nil && length >= 250 && length <= 256:
		return wrong(fmt.Sprintf("the record ends after %d octets, in the middle of the key: cut the value into several strings of at most 255 octets", length))
	case err != nil:
		return wrong("p= does not hold a key of the kind that k= says; publish what Record gives")
	}
	if e, ok := published.(interface{ Equal(crypto.PublicKey) bool }); !ok || !e.Equal(key) {
		return wrong("p= is another key than the one that signs; publish what Record gives, or sign with the key that is published")
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
