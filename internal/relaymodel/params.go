package relaymodel

import "time"

// A Time is the time since an epoch of the driver's choice.
type Time = time.Duration

// Params are the parameters of a relay. [DefaultParams] has Postfix's defaults; no field has a meaning of its own for zero,
// unless it says so.
type Params struct {
	MinimalBackoff Time // minimal_backoff_time
	MaximalBackoff Time // maximal_backoff_time
	QueueRunDelay  Time // queue_run_delay
	QueueLifetime  Time // maximal_queue_lifetime
	BounceLifetime Time // bounce_queue_lifetime
	DelayWarning   Time // delay_warning_time; zero: none
	InFlowDelay    Time // in_flow_delay; zero: none

	ActiveLimit    int // qmgr_message_active_limit
	RecipientLimit int // qmgr_message_recipient_limit
	ProcessLimit   int // default_process_limit: what in_flow_delay lets in ahead of the queue manager

	FailedCohorts float64     // default_destination_concurrency_failed_cohort_limit
	Transports    []Transport // at least one

	Fallback        bool // smtp_fallback_relay is set
	ConnectionCache bool // smtp_connection_cache_on_demand
}

// A Transport is a line of master.cf with its limits.
type Transport struct {
	ProcessLimit       int // maxproc
	Concurrency        int // destination_concurrency_limit
	InitialConcurrency int // initial_destination_concurrency
	Recipients         int // destination_recipient_limit
}

// connectionCacheTime is smtp_connection_cache_time_limit.
const connectionCacheTime = 2 * time.Second

// DefaultTransport has Postfix's defaults.
func DefaultTransport() Transport {
	return Transport{ProcessLimit: 100, Concurrency: 20, InitialConcurrency: 5, Recipients: 50}
}

// DefaultParams has Postfix's defaults, with the one transport smtp.
func DefaultParams() Params {
	return Params{
		MinimalBackoff: 300 * time.Second, MaximalBackoff: 4000 * time.Second, QueueRunDelay: 300 * time.Second,
		QueueLifetime: 5 * 24 * time.Hour, BounceLifetime: 5 * 24 * time.Hour, InFlowDelay: time.Second,
		ActiveLimit: 20000, RecipientLimit: 20000, ProcessLimit: 100,
		FailedCohorts: 1, Transports: []Transport{DefaultTransport()}, ConnectionCache: true,
	}
}
