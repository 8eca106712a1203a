package mxtest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// withDefaults fills in Postfix's defaults, and what makes a primary or a graveyard.
func (c RelayConfig) withDefaults(graveyard bool, graveyards []string) RelayConfig {
	set := func(d *time.Duration, v time.Duration) { *d = cmp.Or(*d, v) }
	num := func(n *int, v int) { *n = cmp.Or(*n, v) }
	if graveyard {
		set(&c.MaximalBackoffTime, 4*time.Hour)
		num(&c.QmgrMessageActiveLimit, 200000)
		num(&c.QmgrMessageRecipientLimit, 200000)
		smtp := c.Transports["smtp"]
		if smtp.ProcessLimit == 0 {
			smtp.ProcessLimit = max(500, c.DefaultProcessLimit)
			c.Transports = maps.Clone(c.Transports)
			if c.Transports == nil {
				c.Transports = map[string]TransportConfig{}
			}
			c.Transports["smtp"] = smtp
		}
	} else if c.SMTPFallbackRelay == nil {
		for _, g := range graveyards {
			c.SMTPFallbackRelay = append(c.SMTPFallbackRelay, "["+g+"]")
		}
	}
	set(&c.MinimalBackoffTime, 300*time.Second)
	set(&c.MaximalBackoffTime, 4000*time.Second)
	set(&c.QueueRunDelay, 300*time.Second)
	set(&c.MaximalQueueLifetime, 5*24*time.Hour)
	set(&c.BounceQueueLifetime, 5*24*time.Hour)
	num(&c.QmgrMessageActiveLimit, 20000)
	num(&c.QmgrMessageRecipientLimit, 20000)
	num(&c.DefaultProcessLimit, 100)
	num(&c.SMTPDProcessLimit, 100)
	num(&c.InitialDestinationConcurrency, 5)
	num(&c.DefaultDestinationConcurrencyLimit, 20)
	c.DefaultDestinationConcurrencyFailedCohort = cmp.Or(c.DefaultDestinationConcurrencyFailedCohort, 1)
	num(&c.DefaultDestinationRecipientLimit, 50)
	num(&c.SMTPMXSessionLimit, 2)
	num(&c.SMTPMXAddressLimit, 5)
	set(&c.SMTPConnectTimeout, 30*time.Second)
	set(&c.SMTPHeloTimeout, 300*time.Second)
	set(&c.InFlowDelay, time.Second)
	num(&c.MessageSizeLimit, 10240000)
	num(&c.SMTPDRecipientLimit, 1000)
	num(&c.SMTPDJunkCommandLimit, 100)
	set(&c.SMTPDTimeout, 300*time.Second)
	c.SMTPDTLSSecurityLevel = cmp.Or(c.SMTPDTLSSecurityLevel, "may")
	return c
}

// validate names what contradicts itself, defaults filled in. fallback gives the relays that an entry of smtp_fallback_relay leads to.
func (c RelayConfig) validate(name string, fallback func(entry string) []*Relay) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("mxtest: relay %s: %w", name, fmt.Errorf(format, args...)))
	}
	if c.MinimalBackoffTime > c.MaximalBackoffTime {
		wrong("minimal_backoff_time %v is above maximal_backoff_time %v", c.MinimalBackoffTime, c.MaximalBackoffTime)
	}
	if c.QueueRunDelay > c.MinimalBackoffTime {
		wrong("queue_run_delay %v is above minimal_backoff_time %v: mail would miss its retry", c.QueueRunDelay, c.MinimalBackoffTime)
	}
	if c.QmgrMessageRecipientLimit < c.QmgrMessageActiveLimit {
		wrong("qmgr_message_recipient_limit %d is below qmgr_message_active_limit %d, which could never be reached", c.QmgrMessageRecipientLimit, c.QmgrMessageActiveLimit)
	}
	if c.InitialDestinationConcurrency > c.DefaultDestinationConcurrencyLimit {
		wrong("initial_destination_concurrency %d is above default_destination_concurrency_limit %d", c.InitialDestinationConcurrency, c.DefaultDestinationConcurrencyLimit)
	}
	if c.DelayWarningTime > c.MaximalQueueLifetime {
		wrong("delay_warning_time %v is above maximal_queue_lifetime %v: no warning would ever be sent", c.DelayWarningTime, c.MaximalQueueLifetime)
	}
	if !slices.Contains([]string{"may", "encrypt", "none"}, c.SMTPDTLSSecurityLevel) {
		wrong(`smtpd_tls_security_level %q is not "may", "encrypt" or "none"`, c.SMTPDTLSSecurityLevel)
	}
	if c.SMTPDTLSWrapperMode && c.SMTPDTLSSecurityLevel == "none" {
		wrong("smtpd_tls_wrappermode needs TLS, but smtpd_tls_security_level is none")
	}
	for _, d := range []time.Duration{c.MinimalBackoffTime, c.QueueRunDelay, c.MaximalQueueLifetime, c.BounceQueueLifetime, c.DelayWarningTime, c.SMTPConnectTimeout, c.SMTPHeloTimeout, c.SMTPDTimeout} {
		if d < 0 {
			wrong("a time is negative: %v", d)
		}
	}
	for _, n := range []int{c.QmgrMessageActiveLimit, c.DefaultProcessLimit, c.SMTPDProcessLimit, c.InitialDestinationConcurrency, c.DefaultDestinationRecipientLimit, c.SMTPMXSessionLimit, c.SMTPMXAddressLimit, c.MessageSizeLimit, c.SMTPDRecipientLimit, c.SMTPDClientConnectionCountLimit} {
		if n < 0 {
			wrong("a limit is negative: %d", n)
		}
	}
	for _, entry := range c.SMTPFallbackRelay {
		relays := fallback(entry)
		if len(relays) == 0 {
			wrong("smtp_fallback_relay names %q, which leads to no relay of the cluster: what fails would stay here", entry)
		}
		if slices.ContainsFunc(relays, func(r *Relay) bool { return r.name == name }) {
			wrong("smtp_fallback_relay names %q, which is the relay itself: mail would loop", entry)
		}
	}
	for what, transports := range map[string]map[string]string{"transport_maps": c.TransportMaps, "check_sender_access": c.SenderTransports} {
		for _, domain := range slices.Sorted(maps.Keys(transports)) {
			if _, ok := c.Transports[transports[domain]]; !ok && transports[domain] != "smtp" {
				wrong("%s sends %s to transport %q, which Transports does not have", what, domain, transports[domain])
			}
		}
	}
	return errors.Join(errs...)
}

// transportNames are the relay's transports; "smtp" is the first.
func (r *Relay) transportNames() []string {
	names := []string{"smtp"}
	for _, name := range slices.Sorted(maps.Keys(r.cfg.Transports)) {
		if name != "smtp" {
			names = append(names, name)
		}
	}
	return names
}

// params are the model's.
func (r *Relay) params() relaymodel.Params {
	c := r.cfg
	p := relaymodel.Params{
		MinimalBackoff: c.MinimalBackoffTime, MaximalBackoff: c.MaximalBackoffTime, QueueRunDelay: c.QueueRunDelay,
		QueueLifetime: c.MaximalQueueLifetime, BounceLifetime: c.BounceQueueLifetime, DelayWarning: c.DelayWarningTime,
		InFlowDelay: max(0, c.InFlowDelay), ActiveLimit: c.QmgrMessageActiveLimit, RecipientLimit: c.QmgrMessageRecipientLimit,
		ProcessLimit: c.DefaultProcessLimit, FailedCohorts: c.DefaultDestinationConcurrencyFailedCohort,
		Fallback: len(c.SMTPFallbackRelay) > 0, ConnectionCache: !c.NoSMTPConnectionCacheOnDemand,
	}
	for _, name := range r.transportNames() {
		t := c.Transports[name]
		p.Transports = append(p.Transports, relaymodel.Transport{
			ProcessLimit:       cmp.Or(t.ProcessLimit, c.DefaultProcessLimit),
			Concurrency:        cmp.Or(t.DestinationConcurrencyLimit, c.DefaultDestinationConcurrencyLimit),
			InitialConcurrency: cmp.Or(t.InitialDestinationConcurrency, c.InitialDestinationConcurrency),
			Recipients:         cmp.Or(t.DestinationRecipientLimit, c.DefaultDestinationRecipientLimit),
		})
	}
	return p
}
