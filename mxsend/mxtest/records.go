package mxtest

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"
)

// The ledger's records refer to each other by index, and are never removed; only content is let go.

// A mailRec is a mail accepted from a client, or a notification made by a relay.
type mailRec struct {
	relay      int32 // index of the relay that accepted or made it
	first, n   int32 // its recipients in ledgerState.rcpts
	open       int32 // recipients still queued or deferred
	size       int32
	note       *noteRec // of a notification
	returnPath string
	messageID  string
	envelopeID string
	client     string
	clientAddr string
	user       string
	headers    bool // RET=HDRS
	tls        bool
	bareLF     bool
	esmtp      bool
	utf8       bool // SMTPUTF8
	accepted   time.Duration
	copy       int32
	content    []byte
}

// A noteRec is what a notification is about.
type noteRec struct {
	action     string
	recipients []string
	messageID  string
	mail       int32
}

// A tryRec is a delivery attempt that was not the last.
type tryRec struct {
	prev, copy, reason int32
	at                 time.Duration
}

// A rcptRec is a recipient of a mail.
type rcptRec struct {
	address  string
	original string // ORCPT as given, "rfc822;address"
	mail     int32
	dest     int32
	copy     int32 // the copy it belongs to now
	reason   int32
	attempts int32
	tries    int32 // the last of its attempts in engine.tries
	place    Place
	notify   notify
	told     bool // its bounce has been reported
	expired  bool
	silent   bool // bounced, and nobody was told
	next     time.Duration
	done     time.Duration
}

// A copyRec is a mail in one relay's queue: where it was accepted, or where it was handed over.
type copyRec struct {
	mail    int32
	relay   int32
	parent  int32 // the copy it was handed over from, or -1
	number  uint64
	arrival time.Duration
	rcpts   []int32
}

// A deliveryRec is a delivery to a destination.
type deliveryRec struct {
	copy  int32
	dest  int32
	at    time.Duration
	rcpts []int32
}

// notify is the NOTIFY parameter of RCPT (RFC 3461 §4.1).
type notify uint8

const (
	notifyGiven notify = 1 << iota
	notifySuccess
	notifyFailure
	notifyDelay
	notifyNever
)

// wants reports whether the sender asked to hear of this; without NOTIFY that is failure and delay.
func (n notify) wants(what notify) bool {
	if n&notifyGiven == 0 {
		return what != notifySuccess
	}
	return n&what != 0
}

// A reason is what a host said, or why it said nothing, in the form of a Postfix log and DSN.
type reason struct {
	status string // enhanced status code
	host   string // name of the host that spoke; empty: nobody did
	addr   string
	reply  string // what it said: "550 5.1.1 no such user"; or the whole explanation, if nobody spoke
	stage  Stage
}

// String explains as Postfix does.
func (r reason) String() string {
	if r.host == "" || r.reply == "" {
		return r.reply
	}
	if r.reply[0] == '2' {
		return r.reply
	}
	if r.stage == AtGreeting {
		return "host " + r.host + "[" + r.addr + "] refused to talk to me: " + r.reply
	}
	return "host " + r.host + "[" + r.addr + "] said: " + r.reply + " (in reply to " + r.command() + " command)"
}

func (r reason) command() string {
	if r.stage == AtDot {
		return "end of DATA"
	}
	return r.stage.String()
}

// queueID writes a copy's number as Postfix writes a queue id.
func queueID(number uint64) string {
	s := strings.ToUpper(strconv.FormatUint(number, 16))
	if len(s) < 11 {
		s = "00000000000"[:11-len(s)] + s
	}
	return s
}

// seen remembers which Message-ID came for which recipient.
type seen struct {
	seed maphash.Seed
	keys map[uint64]struct{}
}

// again reports whether the pair came before, and remembers it.
func (s *seen) again(messageID, address string) bool {
	if messageID == "" {
		return false
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(messageID)
	h.WriteByte(0)
	h.WriteString(address)
	key := h.Sum64()
	if _, ok := s.keys[key]; ok {
		return true
	}
	s.keys[key] = struct{}{}
	return false
}
