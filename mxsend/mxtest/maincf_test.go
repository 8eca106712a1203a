package mxtest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func TestParseMainCF(t *testing.T) {
	got, err := mxtest.ParseMainCF(`
# a primary
myhostname = p1.mail.test
mynetworks = 10.0.0.0/8
smtp_fallback_relay = [g1.mail.test]:2525,
    # in strict order
    [g2.mail.test]:2525
minimal_backoff_time = 10m
maximal_backoff_time = 4h
maximal_queue_lifetime = 5
delay_warning_time = 4
queue_run_delay = $minimal_backoff_time
in_flow_delay = 0
gmail_destination_concurrency_limit = 10
gmail_process_limit = 30
smtp_connection_cache_on_demand = no
transport_maps = inline:{ {gmail.test=gmail:}, {t-online.test=gmail:} }
`)
	if err != nil {
		t.Fatal(err)
	}
	want := mxtest.RelayConfig{
		SMTPFallbackRelay:  []string{"[g1.mail.test]:2525", "[g2.mail.test]:2525"},
		MinimalBackoffTime: 10 * time.Minute, MaximalBackoffTime: 4 * time.Hour, MaximalQueueLifetime: 120 * time.Hour, DelayWarningTime: 4 * time.Hour,
		QueueRunDelay: 10 * time.Minute, InFlowDelay: -1, NoSMTPConnectionCacheOnDemand: true,
		Transports:    map[string]mxtest.TransportConfig{"gmail": {DestinationConcurrencyLimit: 10, ProcessLimit: 30}},
		TransportMaps: map[string]string{"gmail.test": "gmail", "t-online.test": "gmail"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseMainCFErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown", "no_such_thing = 1", "line 1: no_such_thing: no such parameter is known here"},
		{"twice", "default_process_limit = 1\ndefault_process_limit = 2", `line 2: default_process_limit is set twice: "2" here, "1" in line 1`},
		{"no value", "\nminimal_backoff_time", `line 2: "minimal_backoff_time" is not of the form name = value`},
		{"no time", "queue_run_delay = soon", `line 1: queue_run_delay: "soon" is no time`},
		{"negative", "smtpd_recipient_limit = -1", `line 1: smtpd_recipient_limit: "-1" is no number`},
		{"continuation", "  x", "line 1: continues nothing"},
		{"unset", "queue_run_delay = $later", "line 1: $later is not set above"},
		{"neither", "smtpd_tls_wrappermode = maybe", `line 1: smtpd_tls_wrappermode: "maybe" is neither yes nor no`},
		{"map", "transport_maps = hash:/etc/postfix/transport", "transport_maps: only inline:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mxtest.ParseMainCF(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzParseMainCF: what is taken without an error can be a relay's, or the relay says what contradicts what; and every error
// names a line.
func FuzzParseMainCF(f *testing.F) {
	f.Add("minimal_backoff_time = 10m\nqueue_run_delay = ${minimal_backoff_time}")
	f.Add("a =\n b\n\tc = $(d")
	f.Add("transport_maps = inline:{ x=y: }")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := mxtest.ParseMainCF(text)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if strings.HasPrefix(line, "mxtest:") && !strings.HasPrefix(line, "mxtest: main.cf line ") {
					t.Fatalf("%q: %q", text, line)
				}
			}
			return
		}
		if cfg.MinimalBackoffTime < 0 || cfg.QueueRunDelay < 0 || cfg.DefaultProcessLimit < 0 {
			t.Fatalf("%q: %+v", text, cfg)
		}
	})
}

func ExampleParseMainCF() {
	cfg, err := mxtest.ParseMainCF(`
smtp_fallback_relay = [g1.mail.test]
minimal_backoff_time = 10m
`)
	fmt.Println(cfg.SMTPFallbackRelay, cfg.MinimalBackoffTime, err)
	_, err = mxtest.ParseMainCF("maximal_backof_time = 4h")
	fmt.Println(err)
	// Output:
	// [[g1.mail.test]] 10m0s <nil>
	// mxtest: main.cf line 1: maximal_backof_time: no such parameter is known here
}
