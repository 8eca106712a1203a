package mxsend

import (
	"context"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// The wall clock is set by hand, by NTP, by law: nothing here may wait for it.
var faultsClock = []fault{
	{name: "E5/expiry", relays: 2, change: func(cfg *Config, rs []*testRelay) {
		cfg.Resolver = &skewedResolver{hosts: []Host{
			{Name: rs[0].name, Addresses: []netip.Addr{netip.MustParseAddr(rs[0].ip)}},
			{Name: rs[1].name, Addresses: []netip.Addr{netip.MustParseAddr(rs[1].ip)}},
		}, skew: []time.Duration{-24 * time.Hour, 24 * time.Hour, 365 * 24 * time.Hour}}
	}, run: func(s *testSetup) {
		r := s.Client.cfg.Resolver.(*skewedResolver)
		for i, want := range []time.Duration{time.Second, time.Hour, time.Hour} {
			s.wantAccepted(i)
			if n := r.lookups(); n != i+1 {
				s.t.Errorf("%d lookups, want %d", n, i+1)
			}
			early := want / 5                               // a Client that is connected looks up ahead of expiry
			time.Sleep(want - early - 300*time.Millisecond) // counted from the send, or from the expiry before it
			s.wantAccepted(100 + i)
			if n := r.lookups(); n != i+1 {
				s.t.Errorf("skew %v: looked up again within %v", r.skew[i], want)
			}
			time.Sleep(early + 400*time.Millisecond)
			s.wantAccepted(200 + i)
		}
	}},
}

var faultsLiveClock = []liveFault{{"E5/deadlines", deadlinesAreMonotonic}}

// deadlinesAreMonotonic looks at every time that a Client and its connections have
// kept after a mailing over a relay that is slow and one that is put out. It takes
// the real clock: the one of a bubble has no monotonic half.
func deadlinesAreMonotonic(t *testing.T) {
	slow := &testRelay{name: "p1.relays.test", ehlo: fullEHLO, delay: 20 * time.Millisecond}
	full := &testRelay{name: "p2.relays.test", ehlo: fullEHLO, answer: answer("MAIL", "452 4.3.1 full")}
	resolver := &skewedResolver{hosts: []Host{tcpRelay(t, slow), tcpRelay(t, full)}, skew: []time.Duration{time.Minute}}
	c, err := New(Config{Domain: "relays.test", TLS: TLSDisabled, Resolver: resolver, Limits: stoppedLimits})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conns := map[*conn]bool{}
	for r := range c.SendAll(t.Context(), messages(50)) {
		if r.Err != nil {
			t.Error(r.Err)
		}
		c.mu.Lock()
		for _, p := range c.pools {
			for _, r := range p.relays {
				for _, cn := range r.conns {
					conns[cn] = true
				}
			}
		}
		c.mu.Unlock()
	}
	_ = c.Close() // nothing changes any more
	seen, visited := map[string]int{}, map[uintptr]bool{}
	wallTimes(t.Errorf, seen, "Client", reflect.ValueOf(c), visited)
	for cn := range conns {
		wallTimes(t.Errorf, seen, "conn", reflect.ValueOf(cn), visited)
	}
	for _, field := range []string{"expires", "notBefore", "lastOctet", "opening", "idleSince", "until", "start", "born", "retireAt", "turned"} {
		if seen[field] == 0 {
			t.Errorf("no time was seen in a field %q: %v", field, seen)
		}
	}
}

// wallTimes complains of every time within v that was not read off the monotonic
// clock: a clock that is set would move it.
func wallTimes(complain func(string, ...any), seen map[string]int, name string, v reflect.Value, visited map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || visited[v.Pointer()] || !ours(v.Type().Elem().PkgPath()) {
			return
		}
		visited[v.Pointer()] = true
		wallTimes(complain, seen, name, v.Elem(), visited)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			// The zero Time is no time; else the top bit of the first word says monotonic.
			if wall, ext := v.Field(0).Uint(), v.Field(1).Int(); wall != 0 || ext != 0 {
				seen[name]++
				if wall>>63 == 0 {
					complain("%s is a time of the wall clock", name)
				}
			}
			return
		}
		for i := range v.NumField() {
			wallTimes(complain, seen, v.Type().Field(i).Name, v.Field(i), visited)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			wallTimes(complain, seen, name, v.Index(i), visited)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			wallTimes(complain, seen, name, it.Value(), visited)
		}
	}
}

func ours(pkg string) bool {
	return strings.HasSuffix(pkg, "/mxsend") || strings.HasSuffix(pkg, "/internal/smtpsession")
}

// A skewedResolver tells the expiry by a wall clock that is off, by another
// amount each time.
type skewedResolver struct {
	hosts []Host
	skew  []time.Duration

	mu    sync.Mutex
	asked int
}

func (r *skewedResolver) LookupRelays(context.Context, string) (Relays, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	skew := r.skew[r.asked%len(r.skew)]
	r.asked++
	return Relays{Hosts: r.hosts, Expires: time.Now().Round(0).Add(skew)}, nil
}

func (r *skewedResolver) lookups() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}
