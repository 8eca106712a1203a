package mxdns

import "sync/atomic"

// Stats counts what a Resolver has done since New.
type Stats struct {
	Queries   int64 // sent to name servers
	TCP       int64 // of those, after a truncated answer
	Hits      int64 // lookups answered from the cache
	Misses    int64 // lookups that sent a question on its way
	Refreshes int64 // questions sent ahead of expiry
	Stale     int64 // times a last good answer was given after its time
	Failures  int64 // questions no name server answered
	Ignored   int64 // packets that answered something else than what was asked
}

type counters struct {
	queries, tcp, hits, misses, refreshes, stale, failures, ignored atomic.Int64
}

func (c *counters) snapshot() Stats {
	return Stats{
		Queries:   c.queries.Load(),
		TCP:       c.tcp.Load(),
		Hits:      c.hits.Load(),
		Misses:    c.misses.Load(),
		Refreshes: c.refreshes.Load(),
		Stale:     c.stale.Load(),
		Failures:  c.failures.Load(),
		Ignored:   c.ignored.Load(),
	}
}
