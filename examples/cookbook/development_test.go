package cookbook

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func developmentConfig(firstPort int) mxsend.Config {
	loopback := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	return mxsend.Config{
		Resolver: mxsend.StaticRelays(
			mxsend.Host{Name: "p1", Addresses: loopback, Port: firstPort},
			mxsend.Host{Name: "p2", Addresses: loopback, Port: firstPort + 1},
		),
		TLS: mxsend.TLSOpportunistic, // certificates are not verified: on loopback only
	}
}

// freePorts returns the first of four ports in a row that are free.
func freePorts(t *testing.T) int {
	for first := 25250; first < 26000; first += 4 {
		free := true
		for port := first; port < first+4 && free; port++ {
			l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if free = err == nil; free {
				_ = l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Skip("no four ports in a row are free")
	return 0
}

func TestDevelopment(t *testing.T) {
	port := freePorts(t)
	cluster := mxtest.NewCluster(t, mxtest.Config{FirstPort: port}) // as examples/relays has it
	cluster.Primary(1).Inject(mxtest.Fault{Kind: mxtest.TLSStripped, Times: mxtest.Always})
	cfg := developmentConfig(port)
	cfg.LocalName = "app.example.com"
	cfg.AllowRecipient = func(address string) bool {
		return strings.HasSuffix(address, "@example.com")
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m := passwordMail("jane")
	if _, err := client.Send(t.Context(), m); !errors.Is(err, mxsend.ErrNotAllowed) {
		t.Errorf("to a stranger: %v", err)
	}
	m.Recipients = []string{"us@example.com"}
	for range 200 {
		if _, err := client.Send(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	if by := cluster.Ledger().Counts().ByRelay; by["p1.mail.test"] == 0 || by["p2.mail.test"] == 0 { // with TLS, and without
		t.Errorf("by relay: %v", by)
	}
}
