package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// rfcMail is the message of RFC 6376 appendix A and RFC 8463 appendix A.
const rfcMail = "From: Joe SixPack <joe@football.example.com>\r\n" +
	"To: Suzie Q <suzie@shopping.example.net>\r\n" +
	"Subject: Is dinner ready?\r\n" +
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n" +
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n" +
	"\r\n" +
	"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

const rfcBodyHash = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="

// rfcEd25519Key is the seed of RFC 8463 §A.2.
const rfcEd25519Key = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

// rfcRSARecord is the record of the RSA key of RFC 8463 §A.2.
const rfcRSARecord = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bd" +
	"OKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G" +
	"+2kryOTIKT+l/K4w3QIDAQAB"

const rfcEd25519Field = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n" +
	" d=football.example.com; i=@football.example.com;\r\n" +
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n" +
	" subject : date : message-id : from : subject : date;\r\n" +
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n" +
	" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n" +
	" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"

const rfcRSAField = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n" +
	" d=football.example.com; i=@football.example.com;\r\n" +
	" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n" +
	" date : message-id : from : subject : date;\r\n" +
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n" +
	" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n" +
	" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n" +
	" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"

// rfcDigest computes the hash that the signature in field is about, with the means of this package,
// and returns the signature itself.
func rfcDigest(t *testing.T, field string) (digest, signature []byte) {
	t.Helper()
	var h header
	if err := h.scan([]byte(rfcMail), fromOnly); err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(field, ":")
	tags, err := parseTagList(value)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := tags.get("h")
	var canon []byte
	picked := map[string]int{}
	for name := range strings.SplitSeq(list, ":") {
		name = withoutFWS(name)
		for i, skip := len(h.fields)-1, picked[name]; i >= 0; i-- {
			f := &h.fields[i]
			if !strings.EqualFold(rfcMail[f.start:f.start+f.nameLen], name) {
				continue
			}
			if skip == 0 {
				canon = f.appendRelaxed(canon, []byte(rfcMail), fromOnly)
				break
			}
			skip--
		}
		picked[name]++
	}
	b, _ := tags.get("b")
	before, _, _ := strings.Cut(value, "b=/")
	if i := strings.Index(value, "b=F45"); i >= 0 {
		before = value[:i]
	}
	canon = append(canon, "dkim-signature:"...)
	canon = appendRelaxedValue(canon, []byte(before+"b="))
	signature, err = base64.StdEncoding.DecodeString(withoutFWS(b))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canon)
	return sum[:], signature
}

func rfcEd25519(t *testing.T) ed25519.PrivateKey {
	seed, err := base64.StdEncoding.DecodeString(rfcEd25519Key)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func TestRFC8463Appendix(t *testing.T) {
	t.Run("body hash", func(t *testing.T) {
		_, body, _ := bytes.Cut([]byte(rfcMail), []byte("\r\n\r\n"))
		got, err := newBodyHasher(sha256.New()).sum(nil, body, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := base64.StdEncoding.EncodeToString(got); got != rfcBodyHash {
			t.Errorf("got %s, want %s", got, rfcBodyHash)
		}
	})
	t.Run("Ed25519 signature", func(t *testing.T) {
		digest, want := rfcDigest(t, rfcEd25519Field)
		if got := ed25519.Sign(rfcEd25519(t), digest); !bytes.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
	})
	t.Run("RSA signature", func(t *testing.T) {
		digest, signature := rfcDigest(t, rfcRSAField)
		tags, err := parseTagList(rfcRSARecord)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := tags.get("p")
		der, err := base64.StdEncoding.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		key, err := parsePublicKey(der, "rsa")
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA256, digest, signature); err != nil {
			t.Error(err)
		}
	})
	t.Run("signed here", func(t *testing.T) {
		s, err := NewSigner(Config{Domain: "football.example.com", Identity: "@football.example.com",
			Keys: []Key{{"brisbane", rfcEd25519(t)}}, Now: func() time.Time { return time.Unix(1528637909, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		signed := sign(t, s, rfcMail)
		if !strings.Contains(signed, "bh="+rfcBodyHash+";") || !strings.Contains(signed, "t=1528637909;") {
			t.Errorf("body hash or time differ:\n%s", signed)
		}
		verify(t, s, signed)
	})
	t.Run("record", func(t *testing.T) {
		got, err := Record(rfcEd25519(t).Public())
		if err != nil {
			t.Fatal(err)
		}
		if want := "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// RFC 6376 appendix A.2: the same body as signed there with simple/simple has the same hash relaxed,
// once its two spaces are one, and the signed mail there verifies what is signed here.
func TestRFC6376AppendixA(t *testing.T) {
	received := "Received: from client1.football.example.com  [192.0.2.1]\r\n" +
		"      by submitserver.example.com with SUBMISSION;\r\n" +
		"      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
	s, err := NewSigner(Config{Domain: "example.com", Identity: "joe@football.example.com", Keys: []Key{
		{"brisbane", testKeys().rsa}, {"ed", rfcEd25519(t)}}})
	if err != nil {
		t.Fatal(err)
	}
	signed := sign(t, s, received+rfcMail)
	if !strings.Contains(signed, "bh="+rfcBodyHash+";") {
		t.Errorf("body hash differs:\n%s", signed)
	}
	if _, list, _ := strings.Cut(signed, "h="); strings.Contains(strings.SplitN(list, ";", 2)[0], "received") {
		t.Error("Received is signed")
	}
	verify(t, s, signed)
	if err := s.Verify([]byte(signed)); err != nil {
		t.Error(err)
	}
	if err := s.Verify([]byte(strings.Replace(signed, "dinner", "supper", 1))); err == nil {
		t.Error("a changed Subject verifies")
	}
}

// The examples of RFC 6376 §3.4.5.
func TestRFC6376Canonicalization(t *testing.T) {
	mail := []byte("A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n")
	var h header
	if err := h.scan(mail, fromOnly); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for i := range h.fields {
		got = h.fields[i].appendRelaxed(got, mail, fromOnly)
	}
	if want := "a:X\r\nb:Y Z\r\n"; string(got) != want {
		t.Errorf("header: got %q, want %q", got, want)
	}
	hash, err := newBodyHasher(sha256.New()).sum(nil, mail[h.body:], h.lines)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256([]byte(" C\r\nD E\r\n")); !bytes.Equal(hash, want[:]) {
		t.Error("body: not the hash of the canonical form that the RFC gives")
	}
	// RFC 6376 §3.4.4 gives the hash of the empty body.
	for _, empty := range []string{"", "\r\n", "\r\n\r\n", " \t\r\n \r\n"} {
		hash, err := newBodyHasher(sha256.New()).sum(nil, []byte(empty), 0)
		if err != nil {
			t.Fatal(err)
		}
		const want = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
		if got := base64.StdEncoding.EncodeToString(hash); got != want {
			t.Errorf("body %q: got %s, want %s", empty, got, want)
		}
	}
}
