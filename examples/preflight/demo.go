package main

import (
	"net/netip"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// The domains of the demonstration.
const (
	shopDomain   = "shop.test"        // From and DKIM
	bounceDomain = "bounce.shop.test" // return paths
)

// startDemo starts two primaries and two graveyards in this process, and points the configuration at them. All is well
// there but for two things: a primary's certificate has expired, and somebody added a graveyard without telling DNS: it is
// not in the SPF record, and its address has no name.
func (o *options) startDemo() (*mxtest.Cluster, error) {
	cluster, err := mxtest.Start(mxtest.Config{Domain: "relays." + shopDomain})
	if err != nil {
		return nil, err
	}
	key, err := dkim.GenerateKey(dkim.RSA2048)
	if err != nil {
		cluster.Close()
		return nil, err
	}
	signer, record, err := newSigner(dkim.Key{Selector: "s1", Signer: key})
	if err != nil {
		cluster.Close()
		return nil, err
	}
	dns := cluster.DNS()
	dns.SetTXT("s1._domainkey."+shopDomain, record)
	dns.SetTXT("_dmarc."+shopDomain, "v=DMARC1; p=reject; rua=mailto:dmarc@"+shopDomain)
	dns.SetMX(bounceDomain, mxtest.MX{Preference: 10, Host: "in." + shopDomain})
	dns.SetAddress("in."+shopDomain, "192.0.2.25")
	dns.SetTXT(bounceDomain, "v=spf1 ip4:192.0.2.11 ip4:192.0.2.12 ip4:192.0.2.21 -all") // and 192.0.2.22?
	outbound := []string{"192.0.2.11", "192.0.2.12", "192.0.2.21", "192.0.2.22"}         // as receivers see the relays, behind NAT
	for i, host := range []string{"p1.", "p2.", "g1."} {                                 // and g2?
		dns.SetAddress("out-"+host+shopDomain, outbound[i])
		dns.SetPTR(outbound[i], "out-"+host+shopDomain)
	}
	cluster.Primary(1).Inject(mxtest.Fault{Kind: mxtest.TLSExpired, Times: mxtest.Always})

	c := &o.config
	c.Domain = cluster.Domain()
	c.Resolver = mxsend.NewResolver(cluster.DNSAddr())
	c.Port, c.Dial, c.TLSConfig = cluster.Port(), cluster.Dial, cluster.TLSConfig()
	c.LocalName = "app." + shopDomain
	c.Signer = signer
	c.Check = mxsend.CheckConfig{FromDomains: []string{shopDomain}, ReturnPathDomains: []string{bounceDomain}}
	for _, ip := range outbound {
		c.Check.OutboundIPs = append(c.Check.OutboundIPs, netip.MustParseAddr(ip))
	}
	return cluster, nil
}

// newSigner returns a signer and the record of its key.
func newSigner(key dkim.Key) (*dkim.Signer, string, error) {
	record, err := dkim.Record(key.Signer.Public())
	if err != nil {
		return nil, "", err
	}
	signer, err := dkim.NewSigner(dkim.Config{Domain: shopDomain, Keys: []dkim.Key{key}})
	return signer, record, err
}
