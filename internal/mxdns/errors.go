package mxdns

import (
	"errors"
	"fmt"
)

// Kinds of failure, for errors.Is.
var (
	// ErrTemporary: no answer, or none that can be used; asking later may help.
	ErrTemporary = errors.New("name servers gave no usable answer")
	// ErrNoSuchDomain: the name does not exist (NXDOMAIN).
	ErrNoSuchDomain = errors.New("no such domain")
	// ErrNoRecord: the name exists, without records of the type asked for (NODATA).
	ErrNoRecord = errors.New("no such record")
	// ErrNullMX: the domain declares that it takes no mail (RFC 7505).
	ErrNullMX = errors.New("domain takes no mail: null MX")
	// ErrNoAddress: the domain's relays have no address that can be used.
	ErrNoAddress = errors.New("no relay with a usable address")
	// ErrInvalidName: what was asked for is no domain name.
	ErrInvalidName = errors.New("invalid domain name")
	// ErrClosed: the Resolver was closed.
	ErrClosed = errors.New("resolver is closed")
)

// Error is what lookups return. It unwraps to its Kind and its Err.
type Error struct {
	Type string // "MX", "A", "AAAA", "TXT", "PTR", or "relays" for all that LookupRelays does
	Name string // as asked for, without the last dot
	Kind error  // one of the kinds above
	Err  error  // the cause, where there is one to tell
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("DNS %s %q: %v", e.Type, e.Name, e.Kind)
	}
	return fmt.Sprintf("DNS %s %q: %v: %v", e.Type, e.Name, e.Kind, e.Err)
}

// Unwrap returns Kind and Err.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Temporary says whether asking later may help.
func (e *Error) Temporary() bool { return e.Kind == ErrTemporary }

// NotFound says whether there certainly is no such record; other errors may pass.
func (e *Error) NotFound() bool { return e.Kind == ErrNoSuchDomain || e.Kind == ErrNoRecord }
