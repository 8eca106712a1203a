package mxsend_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A program checks before it begins its mailing: here somebody added a graveyard
// and forgot it in the SPF record, so that all mail that is not delivered at the
// first attempt would fail SPF.
func ExampleClient_Check() {
	cluster, err := mxtest.Start(mxtest.Config{Domain: "relays.shop.test"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	dns := cluster.DNS()
	dns.SetMX("bounce.shop.test", mxtest.MX{Preference: 10, Host: "in.shop.test"})
	dns.SetAddress("in.shop.test", "192.0.2.25")
	dns.SetTXT("bounce.shop.test", "v=spf1 ip4:10.0.0.11 ip4:10.0.0.12 ip4:10.0.0.21 -all")

	client, err := mxsend.New(mxsend.Config{
		Domain:    cluster.Domain(),
		Resolver:  mxsend.NewResolver(cluster.DNSAddr()),
		Dial:      cluster.Dial,
		TLSConfig: cluster.TLSConfig(),
		Check: mxsend.CheckConfig{
			ReturnPathDomains: []string{"bounce.shop.test"},
			OutboundIPs: []netip.Addr{
				netip.MustParseAddr("10.0.0.11"), netip.MustParseAddr("10.0.0.12"), // primaries
				netip.MustParseAddr("10.0.0.21"), netip.MustParseAddr("10.0.0.22"), // graveyards
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	result, err := client.Check(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range result.Errors() {
		fmt.Println(finding)
	}
	// Output:
	// error: spf 10.0.0.22: not covered: fail by -all; add ip4:10.0.0.22 to the SPF record of bounce.shop.test
}
