package mxotel

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/mxsend/go-mxsend/mxsend"
)

// The attributes that no semantic convention names.
const (
	laneKey     = attribute.Key("mxsend.lane")
	outcomeKey  = attribute.Key("mxsend.outcome")
	domainKey   = attribute.Key("mxsend.domain")
	stageKey    = attribute.Key("mxsend.stage")
	refKey      = attribute.Key("mxsend.ref")
	codeKey     = attribute.Key("mxsend.reply.code")
	enhancedKey = attribute.Key("mxsend.reply.enhanced_status_code")
)

func laneAttribute(lane mxsend.Lane) attribute.KeyValue { return laneKey.String(lane.String()) }

// word writes a name as attributes have them: "not_attempted".
func word(name string) string { return strings.ReplaceAll(name, " ", "_") }

// errorTypes are causes that have a word of their own, the more telling ones first.
var errorTypes = [...]struct {
	err  error
	word string
}{
	{mxsend.ErrInvalidMessage, "invalid_message"},
	{mxsend.ErrNotAllowed, "not_allowed"},
	{mxsend.ErrLacksExtension, "lacks_extension"},
	{mxsend.ErrTLSRequired, "tls_required"},
	{mxsend.ErrTLSVerify, "tls_verify"},
	{mxsend.ErrRelayRefused, "relay_refused"},
	{mxsend.ErrNoRelay, "no_relay"},
	{mxsend.ErrClosed, "client_closed"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "timeout"},
}

// errorType is the value of error.type: one of few, so that it may be an attribute of
// metrics. It is empty where there is no error.
func errorType(err error) string {
	if err == nil {
		return ""
	}
	var e *mxsend.Error
	if errors.As(err, &e) && e.Reply.Code != 0 {
		return strconv.Itoa(e.Reply.Code)
	}
	for _, t := range errorTypes {
		if errors.Is(err, t.err) {
			return t.word
		}
	}
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		return "timeout"
	case e != nil:
		return word(strings.ToLower(e.Stage.String())) // where it happened
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

// A key is a set of attributes as values.
type key struct {
	relay, domain, errorType string
	lane                     mxsend.Lane // LaneDefault: none
}

// sets are the attribute sets made so far. There are as many as the relays have ways
// to fail: some dozens.
type sets struct {
	mu    sync.RWMutex
	known map[key]metric.MeasurementOption // guarded by mu
}

// of returns the set for a key, which is made once: making one for each message would
// cost more than recording it.
func (s *sets) of(k key) metric.MeasurementOption {
	s.mu.RLock()
	option, ok := s.known[k]
	s.mu.RUnlock()
	if ok {
		return option
	}
	var all []attribute.KeyValue
	if k.relay != "" {
		all = append(all, semconv.ServerAddress(k.relay))
	}
	if k.domain != "" {
		all = append(all, domainKey.String(k.domain))
	}
	if k.lane != mxsend.LaneDefault {
		all = append(all, laneAttribute(k.lane))
	}
	if k.errorType != "" {
		all = append(all, semconv.ErrorTypeKey.String(k.errorType))
	}
	option = metric.WithAttributeSet(attribute.NewSet(all...))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[k] = option
	return option
}
