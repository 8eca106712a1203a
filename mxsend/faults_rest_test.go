package mxsend

import "github.com/cenkalti/backoff/v4"

var faultsRelays []fault
var faultsF []fault

func noRetry(cfg *Config, _ []*testRelay) {
	cfg.Retry = func() backoff.BackOff { return &backoff.StopBackOff{} }
}
