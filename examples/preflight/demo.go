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
// there but for two things: a primary's certificate has expired, and somebody added a graveyard without adding it to
// the SPF record.
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
	dns.SetAddress("in."+shopDomain, "10.0.0.25")
	dns.SetTXT(bounceDomain, "v=spf1 ip4:10.0.0.11 ip4:10.0.0.12 ip4:10.0.0.21 -all") // and 10.0.0.22?
	cluster.Primary(1).Inject(mxtest.Fault{Kind: mxtest.TLSExpired, Times: mxtest.Always})

	c := &o.config
	c.Domain = cluster.Domain()
	c.Resolver = mxsend.NewResolver(cluster.DNSAddr())
	c.Port, c.Dial, c.TLSConfig = cluster.Port(), cluster.Dial, cluster.TLSConfig()
	c.LocalName = "app." + shopDomain
	c.Signer = signer
	c.Check = mxsend.CheckConfig{FromDomains: []string{shopDomain}, ReturnPathDomain: bounceDomain}
	for _, ip := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.21", "10.0.0.22"} {
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
