package dkim

import (
	"context"
	"strings"
	"sync"
)

// DomainSigner signs each message with the signer for the domain in its From. It is made by
// [ByDomain] and safe for concurrent use.
type DomainSigner struct {
	all     []*Signer
	signers map[string][]*Signer // by domain, in either form
	headers sync.Pool            // of *header
}

// ByDomain returns a signer that chooses among signers by the domain of the first address in From:
// the signer of that very domain, else that of the nearest domain above it. Where several signers
// have that domain, all of them sign. A message that none is for is refused ([NoSigner]).
func ByDomain(signers ...*Signer) *DomainSigner {
	d := &DomainSigner{signers: make(map[string][]*Signer, len(signers))}
	for _, s := range signers {
		if s == nil {
			continue
		}
		d.all = append(d.all, s)
		d.signers[s.domain] = append(d.signers[s.domain], s)
		if s.unicode != "" {
			d.signers[s.unicode] = append(d.signers[s.unicode], s)
		}
	}
	return d
}

// Sign does what [Signer.Sign] does, with the signer that was chosen.
func (d *DomainSigner) Sign(ctx context.Context, content []byte) ([]byte, error) {
	h, _ := d.headers.Get().(*header)
	if h == nil {
		h = &header{}
	}
	domain, err := h.fromDomain(content)
	if cap(h.fields) <= maxKept/64 {
		d.headers.Put(h)
	}
	if err != nil {
		return nil, err
	}
	chosen := d.find(domain)
	if len(chosen) == 1 {
		return chosen[0].Sign(ctx, content)
	}
	if len(chosen) == 0 {
		return nil, &Refusal{Reason: NoSigner}
	}
	var fields []byte
	for _, s := range chosen {
		f, err := s.Sign(ctx, content)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f...)
	}
	return fields, nil
}

func (d *DomainSigner) find(domain []byte) []*Signer {
	for name := strings.ToLower(string(domain)); ; {
		if s := d.signers[name]; s != nil {
			return s
		}
		_, above, more := strings.Cut(name, ".")
		if !more {
			return nil
		}
		name = above
	}
}

// fromOnly knows no field but From.
var fromOnly = tableOf(fieldName{lower: "from", spelling: "From", role: roleFrom})

// fromDomain returns the domain of the first address in From. The rest of the header is left for
// Sign to judge.
func (h *header) fromDomain(content []byte) (domain []byte, err error) {
	if err := h.scan(content, fromOnly); err != nil {
		return nil, err
	}
	for i := range h.fields {
		if f := &h.fields[i]; f.role == roleFrom {
			eachFromDomain(content[f.colon+1:f.end], func(d []byte) bool {
				domain = d
				return false
			})
			if domain == nil {
				return nil, &Refusal{Reason: MalformedFrom}
			}
			return domain, nil
		}
	}
	return nil, &Refusal{Reason: MissingFrom}
}
