package mxtest

import "time"

// A RelayConfig holds the main.cf parameters of one relay, under Postfix's own names. A zero
// field is Postfix's default, but for what makes a primary or a graveyard:
//
// A primary has SMTPFallbackRelay = [g1.Domain], [g2.Domain], … in strict order. A graveyard has no
// fallback, QmgrMessageActiveLimit and QmgrMessageRecipientLimit 200000, MaximalBackoffTime 4 h and 500
// smtp processes.
//
// [ParseMainCF] makes one from main.cf text.
type RelayConfig struct {
	// SMTPFallbackRelay lists where mail goes that no MX host of its destination took: "[host]" is
	// that host, a bare name its MX records, of which equal ones share. Nil: a primary's graveyards;
	// empty but not nil: none.
	SMTPFallbackRelay []string

	MinimalBackoffTime   time.Duration // shortest wait between attempts; zero: 300 s
	MaximalBackoffTime   time.Duration // longest wait; zero: 4000 s, on a graveyard 4 h
	QueueRunDelay        time.Duration // time between scans of the deferred queue; zero: 300 s
	MaximalQueueLifetime time.Duration // age at which a failing attempt is the last; zero: 5 days
	BounceQueueLifetime  time.Duration // the same for notifications; zero: 5 days
	DelayWarningTime     time.Duration // age for a delay warning; zero: none is sent

	QmgrMessageActiveLimit    int // messages in the active queue; zero: 20000
	QmgrMessageRecipientLimit int // recipients in the active queue; zero: 20000

	DefaultProcessLimit int // processes of each transport; zero: 100
	SMTPDProcessLimit   int // sessions served at a time; zero: 100. More wait in turn, without a greeting

	InitialDestinationConcurrency             int           // zero: 5
	DefaultDestinationConcurrencyLimit        int           // zero: 20
	DefaultDestinationConcurrencyFailedCohort float64       // cohorts that must fail before a destination is dead; zero: 1
	DefaultDestinationRecipientLimit          int           // recipients of one delivery; zero: 50
	SMTPMXSessionLimit                        int           // sessions with a destination in one delivery; zero: 2
	SMTPMXAddressLimit                        int           // addresses tried in one delivery; zero: 5
	SMTPConnectTimeout, SMTPHeloTimeout       time.Duration // zero: 30 s, 300 s
	InFlowDelay                               time.Duration // wait of a submission that outruns the queue manager; zero: 1 s; negative: none
	NoSMTPConnectionCacheOnDemand             bool          // smtp_connection_cache_on_demand = no
	MessageSizeLimit                          int           // octets of one message; zero: 10240000
	SMTPDRecipientLimit                       int           // recipients of one transaction; zero: 1000
	SMTPDClientConnectionCountLimit           int           // sessions of one client address; zero: no limit, as for mynetworks
	SMTPDJunkCommandLimit                     int           // RSET, NOOP, VRFY in a session; zero: 100
	SMTPDTimeout                              time.Duration // silence before a session is closed; zero: 300 s

	// SMTPDTLSSecurityLevel is "may" (STARTTLS offered), "encrypt" (and demanded) or "none". Empty: "may".
	SMTPDTLSSecurityLevel string
	// SMTPDTLSWrapperMode makes the relay speak TLS from the first octet.
	SMTPDTLSWrapperMode bool

	// TransportMaps names the transport of a destination domain; others take "smtp".
	TransportMaps map[string]string
	// Transports holds the limits of each transport by name; "smtp" may be among them.
	Transports map[string]TransportConfig
}

// A TransportConfig is a line of master.cf and its transport_… parameters. Zero fields take the relay's defaults.
type TransportConfig struct {
	ProcessLimit                  int // master.cf's maxproc
	DestinationConcurrencyLimit   int // transport_destination_concurrency_limit
	InitialDestinationConcurrency int // transport_initial_destination_concurrency
	DestinationRecipientLimit     int // transport_destination_recipient_limit
}
