package relaymodel

import (
	"fmt"
	"testing"
	"time"
)

func TestDeliver(t *testing.T) {
	absent := Session{Absent: true, All: Verdict{Deferred, 1}}
	nowhere := Session{Absent: true, Final: true, All: Verdict{Bounced, 2}}
	each := func(c Class, reason int32) Session { return Session{Each: []Verdict{{c, reason}}} }
	one := Route{Hosts: 1, Fallbacks: 2, Sessions: 2, Addresses: 5}
	alone := Route{Hosts: 1, Sessions: 2, Addresses: 5}
	for _, tt := range []struct {
		name  string
		route Route
		hosts []Session // what they say, MX hosts first, then fallbacks
		want  string
		cache bool
	}{
		{"accepted", one, []Session{each(Done, 3)}, "1: 1 3 feedback 1", false},
		{"refused for good", one, []Session{each(Bounced, 3)}, "1: 2 3 feedback 1", false},
		{"refused for now goes to the first fallback", one, []Session{each(Deferred, 3), each(Done, 4)}, "2: 1 4 feedback 1", false},
		{"nobody there goes to the fallback, whose session is kept", one, []Session{absent, each(Done, 4)}, "2: 1 4 feedback 1", true},
		{"first fallback down", one, []Session{absent, absent, each(Done, 4)}, "3: 1 4 feedback 1", true},
		{"all down", one, []Session{absent, absent, absent}, "3: 3 1 feedback 2", false},
		{"the fallback's own 5xx bounces", one, []Session{each(Deferred, 3), each(Bounced, 5)}, "2: 2 5 feedback 1", false},
		{"no such domain goes to the fallback", one, []Session{nowhere, each(Done, 4)}, "2: 1 4 feedback 1", true},
		{"no such domain, fallbacks down", one, []Session{nowhere, absent, absent}, "3: 3 1 feedback 2", false},
		{"no such domain, no fallback", alone, []Session{nowhere}, "1: 2 2 feedback 2", false},
		{"refused for now, no fallback", alone, []Session{each(Deferred, 3)}, "1: 3 3 feedback 1", false},
		{"second MX host takes it", Route{Hosts: 2, Fallbacks: 1, Sessions: 2, Addresses: 5}, []Session{each(Deferred, 3), each(Done, 4)}, "2: 1 4 feedback 1", false},
		{"two sessions, no more", Route{Hosts: 3, Sessions: 2, Addresses: 5}, []Session{each(Deferred, 3), each(Deferred, 4), each(Done, 5)}, "2: 3 4 feedback 1", false},
		{"hosts that are not there are no session", Route{Hosts: 3, Sessions: 2, Addresses: 5}, []Session{absent, absent, each(Done, 5)}, "3: 1 5 feedback 1", false},
		{"five addresses, no more", Route{Hosts: 6, Sessions: 2, Addresses: 5}, []Session{absent, absent, absent, absent, absent, each(Done, 1)}, "5: 3 1 feedback 2", false},
		{"straight to the fallback", Route{Hosts: 1, Fallbacks: 1, Sessions: 2, Addresses: 5, Direct: true}, []Session{each(Done, 4)}, "1: 1 4 feedback 1", true},
		{"a broken session counts as nobody there", alone, []Session{{Each: []Verdict{{Deferred, 3}}, Broken: true}}, "1: 3 3 feedback 2", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			verdicts := make([]Verdict, 1)
			d := Deliver(1, tt.route, func(Hop, []int32) Session {
				asked++
				return tt.hosts[asked-1]
			}, verdicts)
			got := fmt.Sprintf("%d: %d %d feedback %d", asked, verdicts[0].Class, verdicts[0].Reason, d.Feedback)
			if got != tt.want || d.Cache != tt.cache {
				t.Errorf("got %s, cache %v; want %s, %v", got, d.Cache, tt.want, tt.cache)
			}
		})
	}
}

// Of several recipients each goes its own way.
func TestDeliverSplits(t *testing.T) {
	verdicts := make([]Verdict, 3)
	d := Deliver(3, Route{Hosts: 1, Fallbacks: 1, Sessions: 2, Addresses: 5}, func(h Hop, pending []int32) Session {
		if h.Fallback {
			if fmt.Sprint(pending) != "[1]" {
				t.Errorf("the fallback was asked for %v, want only the recipient refused for now", pending)
			}
			return Session{Each: []Verdict{{Done, 9}}, Took: time.Second}
		}
		return Session{Each: []Verdict{{Done, 1}, {Deferred, 2}, {Bounced, 3}}, Took: time.Second}
	}, verdicts)
	if got, want := fmt.Sprint(verdicts, d.Took), "[{1 1} {1 9} {2 3}] 2s"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
