package bounce

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mxsend/go-mxsend/verp"
)

// Verdict says whether an event is genuine. Only Valid proves that the report
// answers a mail that was really sent to the recipient its Token names.
type Verdict uint8

const (
	// Unverified: nothing is signed: a plain address, plain VERP, or a
	// complaint without a token. It must never count against a recipient on
	// its own.
	Unverified Verdict = iota
	// Valid: the token is genuine and in time.
	Valid
	// Expired: the token is genuine, but too old.
	Expired
	// Forged: an address of the Codec's form that no key has signed.
	Forged
	// Foreign: an address or Message-ID of another's.
	Foreign
)

var verdictNames = [...]string{"unverified", "valid", "expired", "forged", "foreign"}

// String returns the verdict in lower case.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "unknown-verdict"
}

// Event is one message that came back, for one address that it came to.
type Event struct {
	// Token is what the return path, or with a complaint the enclosed mail,
	// says. It is filled where Verdict is Valid or Expired.
	Token   verp.Token
	Verdict Verdict

	// Report is what the message says. It is nil for mail to postmaster@ and
	// abuse@, which is handed on unparsed.
	Report *Report

	// Key is the same for two messages that report the same about the same
	// mail and recipient: a bounce that is delivered twice, or a retry after
	// Handle has failed. Count an event only if its Key is new.
	Key string

	// Recipient is the address that the message came to (RCPT TO), Sender the
	// return path it came with, which is empty for genuine bounces.
	Recipient, Sender string

	// Raw is the message as received, of a bounce or complaint the first MiB.
	// It must not be kept or changed after Handle has returned.
	Raw []byte
}

// Suppresses reports whether this event by itself is reason to send no more mail
// to the recipient that Token names: its Verdict is Valid, and the report says
// of all its recipients that the mailbox or its host does not exist or has moved
// (see [Recipient.Hard]), or is a complaint, or an unsubscription. Everything else
// is for the sender's own rules. An event that comes twice says so twice: see Key.
func (e Event) Suppresses() bool {
	if e.Verdict != Valid || e.Report == nil {
		return false
	}
	switch e.Report.Kind {
	case Complaint, Unsubscribe:
		return true
	case Failed:
		for _, r := range e.Report.Recipients {
			if !r.Hard() {
				return false
			}
		}
		return len(e.Report.Recipients) > 0
	}
	return false
}

// verdictOf turns the error of Codec.Decode into a verdict.
func verdictOf(err error) Verdict {
	switch {
	case err == nil:
		return Valid
	case errors.Is(err, verp.ErrExpired):
		return Expired
	case errors.Is(err, verp.ErrForged):
		return Forged
	}
	return Foreign
}

// join finds a token in what a complaint encloses, or in the link that an
// unsubscribing mail has followed. A genuine one wins over an expired one, and
// that over none at all.
func join(codecs []*verp.Codec, r *Report) (verp.Token, Verdict) {
	var token verp.Token
	verdict := Unverified
	try := func(address string) {
		if verdict == Valid || address == "" {
			return
		}
		t, v := decode(codecs, address)
		if v == Valid || v == Expired && verdict == Unverified {
			token, verdict = t, v
		}
	}
	for _, a := range [...]string{r.Original.ReturnPath, r.MessageID} {
		try(a)
		if inner, ok := verp.Unwrap(a); ok {
			try(inner)
		}
	}
	for _, a := range tokensIn(r.Original.ListUnsubscribe + " " + r.Original.Subject) {
		try(a)
	}
	return token, verdict
}

// tokensIn returns what may be a return path in text, above all in the links of a
// List-Unsubscribe field (RFC 2369 §3.2, RFC 8058): the address of a mailto: link, and whatever in
// the path or query of an https: link has an "@", percent-encoded or not; from at
// most ten places.
func tokensIn(text string) []string {
	const most = 10
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	var out []string
	between := func(r rune) bool { return strings.ContainsRune("<>/?&#;:, \t\r\n", r) }
	for piece := range strings.FieldsFuncSeq(text, between) {
		at := strings.IndexByte(piece, '@')
		if at < 0 {
			continue
		}
		if len(out) >= most {
			break
		}
		out = append(out, piece)
		if i := strings.LastIndexByte(piece[:at], '='); i >= 0 {
			out = append(out, piece[i+1:]) // the value of a query
		}
	}
	return out
}

// eventKey computes Event.Key from the token or, without one, the address that
// the message came to; the original mail; the kind; and the recipients with
// their class. What differs between two copies of one report, such as
// Received fields, does not go in.
func eventKey(e *Event) string {
	h := sha256.New()
	write := func(s ...string) {
		for _, s := range s {
			h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
		}
	}
	if e.Verdict == Valid || e.Verdict == Expired {
		write("token", string(e.Token.ID), e.Token.Issued.UTC().Format("2006-01-02"))
	} else {
		write("address", strings.ToLower(e.Recipient))
	}
	r := e.Report
	if r == nil || len(r.Recipients) == 0 && r.MessageID == "" && e.Verdict == Unverified {
		// Nothing to tell two apart by but the message itself.
		body := string(e.Raw)
		if i := strings.Index(body, "\r\n\r\n"); i >= 0 {
			body = body[i:]
		}
		write("raw", body)
	}
	if r != nil {
		write(r.Kind.String(), r.FeedbackType, r.MessageID)
		var seen []string
		for _, rcpt := range r.Recipients {
			seen = append(seen, strings.ToLower(rcpt.Address)+" "+rcpt.Action+" "+strconv.FormatBool(rcpt.Permanent))
		}
		slices.Sort(seen)
		write(slices.Compact(seen)...)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
