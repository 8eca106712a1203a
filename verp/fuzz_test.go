package verp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// FuzzDecode: nothing but what Encode or MessageID wrote is ever genuine.
func FuzzDecode(f *testing.F) {
	c := newCodec(f, nil)
	address := mustEncode(f, c, FromUint64(4711))
	f.Add(address, []byte("id"))
	f.Add("<"+address+">", []byte{})
	f.Add("prvs=1234abcdef="+address, []byte{0})
	f.Add("b+@example.com", []byte("0123456789abcdef"))
	messageID, _ := c.MessageID([]byte("m"))
	f.Add(messageID, []byte("0123456789abcdef0"))
	f.Fuzz(func(t *testing.T, address string, id []byte) {
		token, err := c.Decode(address)
		switch {
		case err == nil:
			again, err := c.Decode(mustEncode(t, c, token.ID))
			if err != nil || !bytes.Equal(again.ID, token.ID) {
				t.Errorf("%q decodes to %x, which does not come back: %v", address, token.ID, err)
			}
		case errors.Is(err, ErrExpired):
		case !errors.Is(err, ErrForged) && !errors.Is(err, ErrForeign):
			t.Errorf("%q: untyped error %v", address, err)
		case token.ID != nil:
			t.Errorf("%q: %v with a Token", address, err)
		}
		made, err := c.Encode(id)
		if len(id) > maxID {
			if !errors.Is(err, ErrIDTooLong) {
				t.Errorf("Encode of %d octets: %v", len(id), err)
			}
			return
		}
		if got, err := c.Decode(made); err != nil || !bytes.Equal(got.ID, id) {
			t.Errorf("Decode(%q) = %x, %v; want %x", made, got.ID, err, id)
		}
	})
}

// FuzzDecodePlain: what decodes encodes to the same octets, unless its
// recipient needs quotes, and what encodes decodes to the same addresses.
func FuzzDecodePlain(f *testing.F) {
	f.Add("bounce+jane=example.net@example.com", "+=", "b@example.com", "a=b@x.example")
	f.Add("news-return-12-jane=example.net@example.com", "-=", "a-owner@example.com", "j-d@x.example")
	f.Add("prvs=1234abcdef=b+jane=x.example@example.com", "+=", "b+@e.example", "ä@ü.example")
	f.Fuzz(func(t *testing.T, returnPath, delimiters, sender, recipient string) {
		if s, r, err := DecodePlain(returnPath, delimiters); err == nil {
			inner, _ := Unwrap(returnPath)
			got, err := EncodePlain(s, r, delimiters)
			dots := r[0] == '.' || strings.Contains(r, ".@")
			switch {
			case errors.Is(err, ErrTooLong), errors.Is(err, ErrAmbiguous), dots && errors.Is(err, ErrBadAddress):
			case err != nil:
				t.Errorf("%q gives %q and %q, refused with %v", returnPath, s, r, err)
			case got != returnPath && got != inner:
				t.Errorf("%q gives %q and %q, which encode to %q", returnPath, s, r, got)
			}
		}
		if made, err := EncodePlain(sender, recipient, delimiters); err == nil {
			if s, r, err := DecodePlain(made, delimiters); err != nil || s != sender || r != recipient {
				t.Errorf("%q: DecodePlain = %q, %q, %v; want %q, %q", made, s, r, err, sender, recipient)
			}
		}
	})
}
