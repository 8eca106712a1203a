package dkim

import (
	"errors"
	"fmt"
)

// ErrRefused is what every [Refusal] unwraps to.
var ErrRefused = errors.New("dkim: message refused")

// Reason says why a message was not signed. The text of a Reason is meant for people and may change;
// the constants are meant for programs.
type Reason uint8

// The reasons of a [Refusal]. All of them are about the message, never about a key, so the same
// message is refused again until it is changed; [Prepare] mends those marked so.
const (
	_                Reason = iota
	BareCR                  // a CR without its LF
	BareLF                  // an LF without its CR (Prepare)
	NUL                     // an octet 0
	LineTooLong             // a line of more than 998 octets before its CRLF (Prepare with Encode)
	NoEmptyLine             // the header has no end (Prepare)
	MalformedField          // a header line that is neither "Name: value" nor a continuation
	SpaceBeforeColon        // white space between the name of a field and its colon (Prepare)
	FieldTooLong            // a header field of more than 100 KiB
	MissingFrom             // no From
	MissingDate             // no Date (Prepare)
	MissingMessageID        // no Message-ID (Prepare)
	DuplicateField          // two From, Date, Subject, To or Message-ID
	ForbiddenField          // Bcc, Resent-Bcc or Return-Path (Prepare)
	MalformedFrom           // From holds no address with a domain, or is none as a whole (an unquoted @ or comma in a display name)
	UnalignedFrom           // a From address is not in the signing domain
	NoSigner                // ByDomain has no signer for the domain in From
	OneClickNoHTTPS         // List-Unsubscribe-Post without an https URI in List-Unsubscribe
	OneClickUnsigned        // Config.Headers leaves out one of those two
)

func (r Reason) String() string {
	if t, ok := reasonTexts[r]; ok {
		return t[0]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// reasonTexts holds what is wrong and what to do about it.
var reasonTexts = map[Reason][2]string{
	BareCR:           {"bare CR", "a relay would end the line there or drop it; remove it"},
	BareLF:           {"bare LF", "lines must end in CRLF; use Prepare"},
	NUL:              {"NUL octet", "relays drop it; encode the part as base64"},
	LineTooLong:      {"line longer than 998 octets", "relays break it; use Prepare with Encode"},
	NoEmptyLine:      {"no empty line behind the header", "add one, or use Prepare"},
	MalformedField:   {"malformed header line", "a field is a name, a colon and a value"},
	SpaceBeforeColon: {"white space before the colon of a field", "some verifiers do not read such a field; remove it, or use Prepare"},
	FieldTooLong:     {"header field longer than 102400 octets", "relays cut it off; shorten it"},
	MissingFrom:      {"no From field", "add one"},
	MissingDate:      {"no Date field", "a relay would add one and break the signature; add it, or use Prepare"},
	MissingMessageID: {"no Message-ID field", "a relay would add one and break the signature; add it, or use Prepare"},
	DuplicateField:   {"field present twice", "RFC 5322 allows one; remove the other"},
	ForbiddenField:   {"field that relays remove", "remove it, or use Prepare"},
	MalformedFrom:    {"From is not one or more addresses with a domain", "put a display name that holds an at sign or a comma in quotation marks, and each complete address in angle brackets"},
	UnalignedFrom:    {"From outside the signing domain", "sign with a key of that domain (ByDomain), or set AllowUnaligned"},
	NoSigner:         {"no signer for the domain in From", "give ByDomain a signer for it"},
	OneClickNoHTTPS:  {"List-Unsubscribe-Post without an https URI in List-Unsubscribe", "RFC 8058 §3.1 requires one"},
	OneClickUnsigned: {"List-Unsubscribe and List-Unsubscribe-Post are not both signed", "RFC 8058 §4 requires it; name both in Headers"},
}

// Refusal is the error of Sign and of [Prepare] for a message that a relay or a verifier would break
// later. It holds no content of the message.
type Refusal struct {
	Reason Reason
	// Field is the name of the header field at fault, in its usual spelling; empty where it is none
	// of the well-known ones or the fault is not in a field.
	Field string
	// Line is the number of the line at fault, counted from 1; 0 where it is about no single line.
	Line int
}

func (r *Refusal) Error() string {
	text := reasonTexts[r.Reason]
	what := r.Reason.String()
	if r.Field != "" {
		what += " (" + r.Field + ")"
	}
	if r.Line > 0 {
		what += fmt.Sprintf(" in line %d", r.Line)
	}
	if text[1] != "" {
		what += ": " + text[1]
	}
	return "dkim: refused: " + what
}

// Unwrap returns [ErrRefused].
func (r *Refusal) Unwrap() error { return ErrRefused }

// Permanent reports true: another attempt with the same content cannot succeed. Other errors of
// Sign come from the key or the context and may pass.
func (r *Refusal) Permanent() bool { return true }
