package mxtest

import (
	_ "embed"
	"strings"
)

//go:embed maincf_names.txt
var postfixNamesText string

// postfixNames are the parameters that Postfix has, apart from those named after transports.
var postfixNames = func() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(postfixNamesText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for name := range strings.FieldsSeq(line) {
			set[name] = true
		}
	}
	return set
}()

// A meaning is what makes a parameter decisive, unless it has one of the harmless values.
type meaning struct{ harmless, text string }

// decisive are parameters that are not modelled, and must not be read past: with another than the harmless values, or none, mail would
// take another way in Postfix than in the model.
var decisive = map[string]meaning{
	"relayhost":                               {"", "all mail goes to another relay"},
	"default_transport":                       {"smtp smtp:", "mail goes by another transport than smtp"},
	"default_transport_maps":                  {"", "mail goes by another transport than smtp"},
	"sender_dependent_default_transport_maps": {"", "the return path decides on the transport (FILTER in check_sender_access is modelled)"},
	"sender_dependent_relayhost_maps":         {"", "the return path decides on the relay"},
	"content_filter":                          {"", "all mail goes to a filter first"},
	"defer_transports":                        {"", "a transport delivers nothing"},
	"soft_bounce":                             {"no", "what is refused for good is deferred"},
	"smtp_skip_5xx_greeting":                  {"yes", "a 5xx greeting bounces the mail"},
	"disable_dns_lookups":                     {"no", "destinations are not looked up in the DNS"},
	"smtp_dns_support_level":                  {"enabled dnssec", "destinations are not looked up in the DNS"},
}

// decisiveOfTransport are the same among the parameters named after a transport, or "default".
var decisiveOfTransport = map[string]meaning{
	"_destination_rate_delay":                      {"0 0s", "deliveries to a destination have pauses"},
	"_transport_rate_delay":                        {"0 0s", "deliveries have pauses"},
	"_destination_concurrency_positive_feedback":   {"1", "the concurrency window grows otherwise"},
	"_destination_concurrency_negative_feedback":   {"1", "the concurrency window shrinks otherwise"},
	"_destination_concurrency_failed_cohort_limit": {"1", "one transport finds a destination dead otherwise than the rest"},
}

// ofTransport are other parameters named after a transport, which are read past.
var ofTransport = []string{
	"_delivery_slot_cost", "_delivery_slot_discount", "_delivery_slot_loan", "_minimum_delivery_slots", "_extra_recipient_limit", "_recipient_limit",
	"_recipient_refill_delay", "_recipient_refill_limit", "_time_limit",
}
