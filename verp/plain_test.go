package verp

import (
	"errors"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	tests := []struct {
		name, sender, recipient, delimiters string
		want                                string
		err                                 error
	}{
		{"Postfix", "bounce@example.com", "jane@example.net", "+=", "bounce+jane=example.net@example.com", nil},
		{"qmail", "bounce@example.com", "jane@example.net", "-=", "bounce-jane=example.net@example.com", nil},
		{"qmail's owner", "list-owner@example.com", "jane-doe@example.net", "-=", "list-owner-jane-doe=example.net@example.com", nil},
		{"ezmlm", "news-return-4711@example.com", "jane-doe@example.net", "-=", "news-return-4711-jane-doe=example.net@example.com", nil},
		{"equals sign in the recipient", "b@example.com", "a=b@x.example", "+=", "b+a=b=x.example@example.com", nil},
		{"tag in the recipient", "b@example.com", "jane+shop@x.example", "+=", "b+jane+shop=x.example@example.com", nil},
		{"BATV recipient", "b@example.com", "prvs=1234abcdef=jane@x.example", "+=", "b+prvs=1234abcdef=jane=x.example@example.com", nil},
		{"SRS recipient", "b@e.example", "SRS0=abcd=2K=x.example=jo@f.example", "+=", "b+SRS0=abcd=2K=x.example=jo=f.example@e.example", nil},
		{"VERP in VERP", "b@example.com", "l+jane=x.example@y.example", "+=", "b+l+jane=x.example=y.example@example.com", nil},
		{"percent and bang", "b@example.com", "a%b!c@x.example", "+=", "b+a%b!c=x.example@example.com", nil},
		{"case is kept", "B@Example.com", "JaNe@X.Example", "+=", "B+JaNe=X.Example@Example.com", nil},
		{"UTF-8 local part", "b@example.com", "käthe@x.example", "+=", "b+käthe=x.example@example.com", nil},
		{"international domain", "b@example.com", "jo@bücher.example", "+=", "b+jo=bücher.example@example.com", nil},
		{"64 octets", "b@example.com", strings.Repeat("a", 50) + "@x.example.ab", "+=", "b+" + strings.Repeat("a", 50) + "=x.example.a" + "b@example.com", ErrTooLong},
		{"sender with the delimiter", "b+x@example.com", "jane@x.example", "+=", "", ErrAmbiguous},
		{"qmail sender with the delimiter", "a-b@example.com", "jane@x.example", "-=", "", ErrAmbiguous},
		{"BATV sender", "prvs=1234abcdef=b@example.com", "jane@x.example", "+=", "", ErrAmbiguous},
		{"quoted local part", "b@example.com", `"jane doe"@x.example`, "+=", "", ErrBadAddress},
		{"space", "b@example.com", "jane doe@x.example", "+=", "", ErrBadAddress},
		{"line end", "b@example.com", "jane\r\n@x.example", "+=", "", ErrBadAddress},
		{"NUL", "b@example.com", "jane\x00@x.example", "+=", "", ErrBadAddress},
		{"broken UTF-8", "b@example.com", "j\xffne@x.example", "+=", "", ErrBadAddress},
		{"address literal", "b@example.com", "jane@[192.0.2.1]", "+=", "", ErrBadAddress},
		{"equals sign in the domain", "b@example.com", "jane@x=y.example", "+=", "", ErrBadAddress},
		{"no domain", "b@example.com", "jane", "+=", "", ErrBadAddress},
		{"null return path", "", "jane@x.example", "+=", "", ErrBadAddress},
		{"one delimiter", "b@example.com", "jane@x.example", "+", "", ErrBadDelimiters},
		{"same delimiters", "b@example.com", "jane@x.example", "==", "", ErrBadDelimiters},
		{"delimiter of domains", "b@example.com", "jane@x.example", "+.", "", ErrBadDelimiters},
		{"letters", "b@example.com", "jane@x.example", "ab", "", ErrBadDelimiters},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := EncodePlain(tt.sender, tt.recipient, tt.delimiters)
			if tt.err != nil {
				if !errors.Is(err, tt.err) || got != "" {
					t.Fatalf("EncodePlain = %q, %v; want %v", got, err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("EncodePlain = %q, %v; want %q", got, err, tt.want)
			}
			sender, recipient, err := DecodePlain(got, tt.delimiters)
			if err != nil || sender != tt.sender || recipient != tt.recipient {
				t.Errorf("DecodePlain = %q, %q, %v; want %q, %q", sender, recipient, err, tt.sender, tt.recipient)
			}
		})
	}
}

func TestPlainLength(t *testing.T) {
	// b + delimiter + 44 + delimiter + 17 = 64 octets
	fits := strings.Repeat("a", 44) + "@subdomain.example"
	if got, err := EncodePlain("b@example.com", fits, "+="); err != nil || strings.IndexByte(got, '@') != 64 {
		t.Errorf("64 octets: %q, %v", got, err)
	}
	if _, err := EncodePlain("b@example.com", "a"+fits, "+="); !errors.Is(err, ErrTooLong) {
		t.Errorf("65 octets: %v, want ErrTooLong", err)
	}
}

func TestDecodePlain(t *testing.T) {
	tests := []struct {
		name, returnPath, delimiters string
		sender, recipient            string
		err                          error
	}{
		{"BATV around it", "prvs=1234abcdef=b+jane=x.example@example.com", "+=", "b@example.com", "jane@x.example", nil},
		{"recipient with a dot at its end", "b+jane.=x.example@example.com", "+=", "b@example.com", "jane.@x.example", nil},
		{"sender with a dot at its beginning", "prvs=1234abcdef=.b+jane=x.example@example.com", "+=", "", "", ErrNotVERP},
		{"no VERP", "b@example.com", "+=", "", "", ErrNotVERP},
		{"no second delimiter", "b+jane@example.com", "+=", "", "", ErrNotVERP},
		{"no first delimiter", "b=jane@example.com", "+=", "", "", ErrNotVERP},
		{"empty sender", "+jane=x.example@example.com", "+=", "", "", ErrNotVERP},
		{"empty local part", "b+=x.example@example.com", "+=", "", "", ErrNotVERP},
		{"empty domain", "b+jane=@example.com", "+=", "", "", ErrNotVERP},
		{"no address", "b+jane=x.example", "+=", "", "", ErrBadAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sender, recipient, err := DecodePlain(tt.returnPath, tt.delimiters)
			if !errors.Is(err, tt.err) || sender != tt.sender || recipient != tt.recipient {
				t.Errorf("DecodePlain = %q, %q, %v; want %q, %q, %v", sender, recipient, err, tt.sender, tt.recipient, tt.err)
			}
		})
	}
}

func TestUnwrap(t *testing.T) {
	tests := []struct {
		name, address, want string
		ok                  bool
	}{
		{"BATV", "prvs=1234abcdef=jane@x.example", "jane@x.example", true},
		{"BATV in upper case", "PRVS=1234ABCDEF=jane@x.example", "jane@x.example", true},
		{"BATV, older order", "prvs=jane/1234abcdef@x.example", "jane@x.example", true},
		{"BATV by an appliance", "btv1==0123abcd==jane@x.example", "jane@x.example", true},
		{"SRS0", "SRS0=abcd=2K=example.com=b+token@f.example", "b+token@example.com", true},
		{"SRS0 with a plus", "SRS0+abcd=2K=example.com=jane@f.example", "jane@example.com", true},
		{"SRS1", "SRS1=wxyz=f.example==abcd=2K=example.com=jane@g.example", "jane@example.com", true},
		{"person", "jane@x.example", "jane@x.example", false},
		{"prvs of another kind", "prvs=jane@x.example", "prvs=jane@x.example", false},
		{"srs of another kind", "srsly@x.example", "srsly@x.example", false},
		{"SRS2", "SRS2=abcd=2K=example.com=jane@f.example", "SRS2=abcd=2K=example.com=jane@f.example", false},
		{"no address", "prvs=1234abcdef=jane", "prvs=1234abcdef=jane", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Unwrap(tt.address); got != tt.want || ok != tt.ok {
				t.Errorf("Unwrap = %q, %v; want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	const uuid = "0198e5b4-7c1d-7abc-8def-0123456789ab"
	id, err := FromUUID(uuid)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := (Token{ID: id}).UUID(); !ok || got != uuid {
		t.Errorf("UUID = %q, %v; want %q", got, ok, uuid)
	}
	for _, form := range []string{strings.ToUpper(uuid), "{" + uuid + "}", "urn:uuid:" + uuid, strings.ReplaceAll(uuid, "-", "")} {
		if got, err := FromUUID(form); err != nil || string(got) != string(id) {
			t.Errorf("FromUUID(%q) = %x, %v", form, got, err)
		}
	}
	for _, bad := range []string{"", "0198e5b4", uuid + "0", strings.Replace(uuid, "a", "g", 1), strings.Replace(uuid, "-", "0", 1)} {
		if _, err := FromUUID(bad); err == nil {
			t.Errorf("FromUUID(%q): no error", bad)
		}
	}
	for _, n := range []uint64{0, 1, 4711, 1<<64 - 1} {
		if got, ok := (Token{ID: FromUint64(n)}).Uint64(); !ok || got != n {
			t.Errorf("Uint64 = %d, %v; want %d", got, ok, n)
		}
	}
	if _, ok := (Token{ID: id}).Uint64(); ok {
		t.Error("Uint64 of a UUID: ok")
	}
	if _, ok := (Token{ID: FromUint64(1)}).UUID(); ok {
		t.Error("UUID of a number: ok")
	}
}
