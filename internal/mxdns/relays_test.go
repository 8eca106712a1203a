package mxdns

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLookupRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, newZone(t,
			"relay.example. 300 IN MX 20 c.relay.example.",
			"relay.example. 300 IN MX 10 a.relay.example.",
			"a.relay.example. 120 IN A 192.0.2.1",
			"a.relay.example. 120 IN A 192.0.2.2",
			"a.relay.example. 90 IN AAAA 2001:db8::1",
			"c.relay.example. 600 IN A 192.0.2.3",
		))
		relays := lookupRelays(t, r, "Relay.Example")
		wantHosts(t, relays, "a.relay.example 2001:db8::1 192.0.2.1 192.0.2.2, c.relay.example 192.0.2.3")
		if relays.Implicit || relays.Stale || len(relays.Warnings)+len(relays.Skipped) > 0 {
			t.Errorf("got %+v, want neither implicit nor stale, and nothing to warn of", relays)
		}
		wantExpires(t, relays.Expires, time.Minute) // of the AAAA records that c does not have
		wantExpires(t, relays.Refresh, 48*time.Second)
		time.Sleep(48 * time.Second)
		wantExpires(t, lookupRelays(t, r, "relay.example").Expires, 12*time.Second)
		time.Sleep(12 * time.Second)
		misses := r.Stats().Misses
		wantExpires(t, lookupRelays(t, r, "relay.example").Expires, 30*time.Second) // of a's AAAA record, then
		if got := r.Stats(); got.Misses != misses || got.Refreshes != 1 {
			t.Errorf("stats = %+v: want one refresh, and nothing to wait for afterwards", got)
		}
	})
}

func TestLookupRelaysOverLoopback(t *testing.T) {
	pc, l := loopbackSockets(t)
	serveOn(t, pc, l, newZone(t,
		"relay.example. 300 IN MX 10 a.relay.example.",
		"a.relay.example. 300 IN A 192.0.2.1",
	))
	r, err := New(Config{Servers: []string{pc.LocalAddr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	wantHosts(t, lookupRelays(t, r, "relay.example."), "a.relay.example 192.0.2.1")
}

func TestHostNamedTwiceHasItsLowestPreference(t *testing.T) {
	r := begin(t, newZone(t,
		"relay.example. 60 IN MX 20 a.relay.example.",
		"relay.example. 60 IN MX 10 A.relay.example.",
		"relay.example. 60 IN MX 30 a.relay.example.",
		"a.relay.example. 60 IN A 192.0.2.1",
		"a.relay.example. 60 IN A 192.0.2.1",
	))
	relays := lookupRelays(t, r, "relay.example")
	wantHosts(t, relays, "a.relay.example 192.0.2.1")
	if got := relays.Hosts[0].Preference; got != 10 {
		t.Errorf("preference = %d, want 10", got)
	}
}
