package memnet

import (
	"net"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// TestConformance runs the tests every net.Conn must pass, in real time.
func TestConformance(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no delay":     {},
		"small buffer": {Buffer: 100},
		"latency":      {Latency: 100 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				c, s := pair(t, New(cfg))
				return c, s, func() { c.Close(); s.Close() }, nil
			})
		})
	}
}
