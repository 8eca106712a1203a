package mxsend

import (
	"fmt"
	"strings"
)

// need is the set of extensions that the next transaction of the entry cannot do
// without. SMTPUTF8 for the sake of recipients is among them only where nobody but
// such recipients is left: what one recipient needs shall not be everybody's need.
func (e *entry) need() need {
	ready := false
	for i := range e.rcpts {
		if to := &e.rcpts[i]; to.ready() {
			if !to.mailbox.NonASCII() {
				return e.ownNeed
			}
			ready = true
		}
	}
	if ready {
		return e.ownNeed | needSMTPUTF8
	}
	return e.ownNeed
}

// rejectLacking gives the recipients that may be tried now, and that no relay can
// take, their outcome.
func (c *Client) rejectLacking(e *entry, cause error) {
	for i := range e.rcpts {
		if e.rcpts[i].ready() {
			e.settle(i, &Error{Outcome: Rejected, Stage: StageHello, Err: cause}, "")
		}
	}
}

// lackingCause says what of the needs of an entry is not offered.
func lackingCause(cs []candidate, w *want) error {
	missing, tooBig, most := w.need, true, int64(0)
	for i := range cs {
		if c := &cs[i]; c.weight > 0 {
			missing &= c.lacks
			tooBig = tooBig && c.maxSize > 0 && w.size > c.maxSize
			most = max(most, c.maxSize)
		}
	}
	var parts []string
	if missing != 0 {
		parts = append(parts, missing.String())
	}
	if tooBig {
		parts = append(parts, fmt.Sprintf("it has %d octets, and the largest SIZE is %d", w.size, most))
	}
	if parts == nil { // each is offered by one of them
		parts = append(parts, fmt.Sprintf("no single one offers %v, and takes %d octets", w.need, w.size))
	}
	return fmt.Errorf("%w: %s", ErrLacksExtension, strings.Join(parts, "; "))
}

// String names the extensions, and what they are needed for.
func (n need) String() string {
	var names []string
	for _, known := range [...]struct {
		need need
		name string
	}{
		{needEightBitMIME, "8BITMIME (its content has 8-bit octets)"},
		{needSMTPUTF8, "SMTPUTF8 (the address is outside ASCII)"},
		{needRequireTLS, "REQUIRETLS (Message.RequireTLS)"},
	} {
		if n&known.need != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, " and ")
}
