package mxdns

import (
	"fmt"
	"testing"
)

// BenchmarkLookupRelays looks up what is cached: six relays of two addresses each.
func BenchmarkLookupRelays(b *testing.B) {
	var records []string
	for i := range 6 {
		records = append(records,
			fmt.Sprintf("relay.example. 3600 IN MX 10 r%d.relay.example.", i),
			fmt.Sprintf("r%d.relay.example. 3600 IN A 192.0.2.%d", i, i+1),
			fmt.Sprintf("r%d.relay.example. 3600 IN AAAA 2001:db8::%d", i, i+1))
	}
	r := begin(b, newZone(b, records...))
	lookupRelays(b, r, "relay.example")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.LookupRelays(b.Context(), "relay.example"); err != nil {
				b.Error(err)
			}
		}
	})
}
