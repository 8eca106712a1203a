package mxtest_test

import (
	"fmt"
	"math"
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
		Notes:         []string{"line 3: myhostname is read past: it is not modelled", "line 4: mynetworks is read past: it is not modelled"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// What an ordinary main.cf holds is taken; what is said about it is in Notes.
func TestParseMainCFOrdinary(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       mxtest.RelayConfig // without Notes
		notes      []string           // parts of them, in this order
	}{
		{"Debian's", `
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
smtpd_tls_chain_files = /etc/postfix/relay.pem
enable_long_queue_ids = yes
mydestination = $myhostname, localhost
`, mxtest.RelayConfig{}, []string{"line 2: smtpd_banner", "line 3: smtp_tls_session_cache_database", "line 4: smtpd_relay_restrictions: permit_mynetworks permit_sasl", "line 5: smtpd_tls_chain", "line 6", "line 7"}},
		{"of a later Postfix", "smtpd_forbid_bare_newline = yes", mxtest.RelayConfig{}, []string{"smtpd_forbid_bare_newline"}},
		{"what decides, as by default", "relayhost =\ncontent_filter =\nsoft_bounce = no\ndefault_transport = smtp\ngmail_destination_rate_delay = 0s\nsmtp_skip_5xx_greeting = yes",
			mxtest.RelayConfig{}, []string{"relayhost", "content_filter", "soft_bounce", "default_transport", "gmail_destination_rate_delay is read past: the model does so anyway", "smtp_skip"}},
		{"set further down", "queue_run_delay = $minimal_backoff_time\nminimal_backoff_time = ${our_time}\nour_time = 10m",
			mxtest.RelayConfig{QueueRunDelay: 10 * time.Minute, MinimalBackoffTime: 10 * time.Minute}, nil},
		{"names of their own in what is read past", "our_dir = /srv\nmail_spool_directory = $our_dir/mail", mxtest.RelayConfig{}, []string{"mail_spool_directory"}},
		{"of a transport", "gmail_destination_rate_delay = 0\ngmail_recipient_limit = 5\nsmtp_connection_cache_time_limit = 2s", mxtest.RelayConfig{}, []string{"gmail_destination", "gmail_recipient_limit", "smtp_connection"}},
		{"a transport without limits", "transport_maps = inline:{gmail.test=gmail:}",
			mxtest.RelayConfig{TransportMaps: map[string]string{"gmail.test": "gmail"}, Transports: map[string]mxtest.TransportConfig{"gmail": {}}}, nil},
		{"the limits of smtp", "smtp_destination_concurrency_limit = 7", mxtest.RelayConfig{Transports: map[string]mxtest.TransportConfig{"smtp": {DestinationConcurrencyLimit: 7}}}, nil},
		{"zeros", "maximal_queue_lifetime = 0\nin_flow_delay = 0\nmessage_size_limit = 0\nsmtp_mx_session_limit = 0\ndelay_warning_time = 0\ndefault_destination_concurrency_failed_cohort_limit = 0",
			mxtest.RelayConfig{MaximalQueueLifetime: 1, InFlowDelay: -1, MessageSizeLimit: math.MaxInt32, SMTPMXSessionLimit: math.MaxInt32, DefaultDestinationConcurrencyFailedCohort: math.MaxFloat64}, nil},
		{"FILTER", "smtpd_sender_restrictions = reject_non_fqdn_sender,\n check_sender_access inline:{ {Tx.test = FILTER trans:}, { spam.test = REJECT no thanks } }, permit\ntrans_destination_concurrency_limit = 5",
			mxtest.RelayConfig{SenderTransports: map[string]string{"tx.test": "trans"}, Transports: map[string]mxtest.TransportConfig{"trans": {DestinationConcurrencyLimit: 5}}},
			[]string{"reject_non_fqdn_sender is read past", "spam.test = REJECT no thanks is read past", "permit is read past"}},
		{"a table of senders in a file", "smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/senders", mxtest.RelayConfig{}, []string{"if it has FILTER, say it as RelayConfig.SenderTransports", "hash:/etc/postfix/senders"}},
		{"restrictions by what is not set here", "smtpd_recipient_restrictions = check_client_access hash:$config_directory/clients, check_sender_access inline:{ {tx.test = FILTER $own:} }\nown = trans",
			mxtest.RelayConfig{SenderTransports: map[string]string{"tx.test": "trans"}, Transports: map[string]mxtest.TransportConfig{"trans": {}}}, []string{"hash:$config_directory/clients is read past"}},
		{"without TLS", "smtpd_tls_security_level =", mxtest.RelayConfig{SMTPDTLSSecurityLevel: "none"}, nil},
		{"fallback by its old name", "fallback_relay = [g1.mail.test]", mxtest.RelayConfig{SMTPFallbackRelay: []string{"[g1.mail.test]"}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := mxtest.ParseMainCF(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			notes := got.Notes
			got.Notes = nil
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if len(notes) != len(tt.notes) {
				t.Fatalf("got notes %q, want %q", notes, tt.notes)
			}
			for i, want := range tt.notes {
				if !strings.Contains(notes[i], want) {
					t.Errorf("got note %q, want %q in it", notes[i], want)
				}
			}
		})
	}
}

func TestParseMainCFErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown", "no_such_thing = 1", "line 1: no_such_thing: no such parameter of Postfix, and no other is set by it"},
		{"misspelt restrictions", "smtpd_rcpt_restrictions = reject", "line 1: smtpd_rcpt_restrictions: no such parameter"},
		{"misspelt", "smtpd_tls_chain_file = /etc/postfix/relay.pem", "line 1: smtpd_tls_chain_file: no such parameter of Postfix"},
		{"twice", "default_process_limit = 1\ndefault_process_limit = 2", `line 2: default_process_limit is set twice: "2" here, "1" in line 1`},
		{"no value", "\nminimal_backoff_time", `line 2: "minimal_backoff_time" is not of the form name = value`},
		{"no time", "queue_run_delay = soon", `line 1: queue_run_delay: "soon" is no time`},
		{"no wait", "minimal_backoff_time = 0", `line 1: minimal_backoff_time: 0 is no time`},
		{"negative", "smtpd_recipient_limit = -1", `line 1: smtpd_recipient_limit: "-1" is no number`},
		{"below the least", "smtpd_recipient_limit = 0", `line 1: smtpd_recipient_limit: 0 is below 1`},
		{"continuation", "  x", "line 1: continues nothing"},
		{"unset", "queue_run_delay = $later", "line 1: $later is not set: write what it stands for"},
		{"by itself", "queue_run_delay = $minimal_backoff_time\nminimal_backoff_time = $queue_run_delay", "line 2: a parameter is set by itself"},
		{"conditional", "queue_run_delay = ${minimal_backoff_time?5m}", "without conditions"},
		{"unclosed", "queue_run_delay = ${minimal_backoff_time", "without conditions"},
		{"neither", "smtpd_tls_wrappermode = maybe", `line 1: smtpd_tls_wrappermode: "maybe" is neither yes nor no`},
		{"map", "transport_maps = hash:/etc/postfix/transport", "transport_maps: only inline:"},
		{"two maps", "transport_maps = inline:{a.test=b:} hash:/etc/postfix/transport", "transport_maps: only inline:"},
		{"next hop", "transport_maps = inline:{a.test=smtp:[10.0.0.1]}", "transport_maps: a.test: a next hop ([10.0.0.1])"},
		{"no transport", "transport_maps = inline:{a.test=b}", `transport_maps: "a.test=b" is not of the form domain=transport:`},
		{"no entry", "transport_maps = inline:{a.test}", `"a.test" is not of the form key=value`},
		{"everything", "transport_maps = inline:{*=b:}", `"*=b:" is not of the form domain=transport:`},
		{"filter with a next hop", "smtpd_sender_restrictions = check_sender_access inline:{ {a.test = FILTER smtp:[127.0.0.1]:10025} }", "a next hop ([127.0.0.1]:10025)"},
		{"filter of an address", "smtpd_sender_restrictions = check_sender_access inline:{ {a@a.test = FILTER b:} }", "by the domain of the return path only"},
		{"filter without a transport", "smtpd_sender_restrictions = check_sender_access inline:{ {a.test = FILTER} }", `"FILTER" is not of the form FILTER transport:`},
		{"another relay", "relayhost = [smart.test]", "line 1: relayhost = [smart.test]: all mail goes to another relay, which the model does not do"},
		{"another transport", "default_transport = uucp", "mail goes by another transport than smtp"},
		{"pauses", "gmail_destination_rate_delay = 1s", "line 1: gmail_destination_rate_delay = 1s: deliveries to a destination have pauses"},
		{"pauses by default", "default_destination_rate_delay = 1s", "have pauses"},
		{"feedback", "default_destination_concurrency_positive_feedback = 1/2", "the concurrency window grows otherwise"},
		{"soft bounces", "soft_bounce = yes", "what is refused for good is deferred"},
		{"by recipient", "gmail_destination_recipient_limit = 1", "Postfix then counts concurrency by recipient"},
		{"cohorts", "default_destination_concurrency_failed_cohort_limit = NaN", "is no number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := mxtest.ParseMainCF(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// A relay that could not reach its graveyards would keep what fails, and nobody would notice.
func TestParsedFallback(t *testing.T) {
	cfg, err := mxtest.ParseMainCF("smtp_fallback_relay = graveyard.shop.test")
	if err != nil {
		t.Fatal(err)
	}
	primary := func(name string) mxtest.RelayConfig {
		if strings.HasPrefix(name, "p") {
			return cfg
		}
		return mxtest.RelayConfig{}
	}
	if c, err := mxtest.Start(mxtest.Config{Memory: true, Relay: primary}); err == nil {
		c.Close()
		t.Error("a domain that names no graveyard was taken")
	}
	bubble(t, mxtest.Config{GraveyardDomain: "Graveyard.shop.test.", Relay: primary}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("down.test").Do(mxtest.Refuse())
		got := map[string]int{}
		for range 40 {
			got[send("u@down.test").Recipients[0].Relay]++
		}
		if got["g1.mail.test"] == 0 || got["g2.mail.test"] == 0 || len(got) != 2 {
			t.Errorf("got %v, want both graveyards", got)
		}
	})
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
	// mxtest: main.cf line 1: maximal_backof_time: no such parameter of Postfix, and no other is set by it
}
