package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/examples/internal/command"
	"github.com/mxsend/go-mxsend/mxsend"
)

const about = `preflight checks all that mail depends on before any is sent, and sends none.

  preflight -demo                        an installation in this process, with mistakes
  preflight -domain relays.example.com   the relays: DNS, TLS, extensions, AUTH
  preflight -domain relays.example.com -ca relays-ca.pem \
    -dkim-domain example.com -selector s1 -key s1.pem \
    -from example.com -return-path bounce.example.com \
    -outbound 192.0.2.11,192.0.2.12,192.0.2.21,192.0.2.22
                                         and what receivers look at

Exit status: 0 no error (warnings are none), 1 errors or cut short, 2 flags that make no sense.`

// options are the flags, as far as they are not in config already.
type options struct {
	json, demo bool
	timeout    time.Duration
	config     mxsend.Config

	ca                           string
	user, passwordFile           string
	dkimDomains, selectors, keys []string
	nameServers                  []string
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("preflight", flag.ContinueOnError)
	c := &o.config
	f.BoolVar(&o.json, "json", false, "print one JSON object instead of a table")
	f.BoolVar(&o.demo, "demo", false, "check an installation in this process, which has mistakes")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long the whole check may take")

	f.StringVar(&c.Domain, "domain", "", "mail `domain` whose MX records name the relays")
	f.StringVar(&c.Transactional.Domain, "transactional", "", "mail `domain` of the transactional lane, if it has its own")
	f.StringVar(&c.Bulk.Domain, "bulk", "", "mail `domain` of the bulk lane, if it has its own")
	f.Func("weight", "`host=weight` of a relay (repeatable)", o.addWeight)
	f.IntVar(&c.MaxPreference, "max-preference", 0, "leave relays of a higher MX preference unused")
	f.IntVar(&c.Port, "port", 0, "port of the relays (default 25)")
	f.StringVar(&c.LocalName, "helo", "", "`name` in EHLO (default: this machine's)")
	f.Func("tls", "required (the default), implicit, opportunistic or disabled", o.setTLS)
	f.StringVar(&o.ca, "ca", "", "PEM `file` with the CAs that sign the relays' certificates (default: the system's)")
	f.Func("relay-name", "`name` that relays may bear, such as *.relays.example.com (repeatable)", appendTo(&c.RelayNames))
	f.StringVar(&o.user, "user", "", "user `name` for AUTH PLAIN")
	f.StringVar(&o.passwordFile, "password-file", "", "`file` with the password, alone on its first line")
	f.Func("nameserver", "`address` of a name server that knows the relays (repeatable; default: the system's)", appendTo(&o.nameServers))

	f.Func("dkim-domain", "signing `domain` (d=) of the key at the same place, or of all (repeatable)", appendTo(&o.dkimDomains))
	f.Func("selector", "`selector` of the key at the same place (repeatable)", appendTo(&o.selectors))
	f.Func("key", "private key `file`, PEM, mode 0600 (repeatable)", appendTo(&o.keys))
	f.Func("from", "`domains` in From, separated by commas (repeatable)", appendList(&c.Check.FromDomains))
	f.Func("return-path", "`domains` of the return paths, separated by commas (repeatable)", appendList(&c.Check.ReturnPathDomains))
	f.Func("outbound", "`addresses` that receivers see, separated by commas: of every primary and every graveyard", o.addOutbound)
	f.Func("public-nameserver", "`address` of a name server that answers as the world sees it (repeatable; default: -nameserver)", appendTo(&c.Check.NameServers))
	if err := command.Parse(f, args, about, stderr); err != nil {
		return nil, err
	}
	return o, errors.Join(o.complete(f.NArg())...)
}

// complete makes the configuration of the flags, and says what is wrong with them.
func (o *options) complete(rest int) (errs []error) {
	c := &o.config
	if rest > 0 {
		errs = append(errs, errors.New("give flags only; -h lists them"))
	}
	switch {
	case o.demo && c.Domain != "":
		errs = append(errs, errors.New("-demo brings a domain of its own: leave out -domain"))
	case !o.demo && c.Domain == "":
		errs = append(errs, errors.New("give -domain, or -demo to see what a check looks like"))
	}
	if o.timeout <= 0 {
		errs = append(errs, errors.New("-timeout must be more than nothing"))
	}
	if len(o.nameServers) > 0 {
		c.Resolver = mxsend.NewResolver(o.nameServers...)
	}
	return append(errs, o.loadCA(), o.loadPassword(), o.loadKeys())
}

func (o *options) loadCA() error {
	if o.ca == "" {
		return nil
	}
	text, err := os.ReadFile(o.ca)
	if err != nil {
		return fmt.Errorf("-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("-ca: %s holds no certificate in PEM", o.ca)
	}
	o.config.TLSConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return nil
}

func (o *options) loadPassword() error {
	if o.user == "" && o.passwordFile == "" {
		return nil
	}
	if o.user == "" || o.passwordFile == "" {
		return errors.New("-user and -password-file go together")
	}
	text, err := os.ReadFile(o.passwordFile)
	if err != nil {
		return fmt.Errorf("-password-file: %w", err)
	}
	password, _, _ := strings.Cut(string(text), "\n")
	password = strings.TrimSuffix(password, "\r")
	if password == "" {
		return fmt.Errorf("-password-file: the first line of %s is empty", o.passwordFile)
	}
	o.config.Auth = func() sasl.Client { return sasl.NewPlainClient("", o.user, password) }
	return nil
}

// loadKeys makes a signer of the keys, which are given in pairs with their selectors.
func (o *options) loadKeys() error {
	domains, keys := len(o.dkimDomains), len(o.keys)
	switch {
	case domains == 0 && keys == 0 && len(o.selectors) == 0:
		return nil
	case domains == 0 || keys == 0 || len(o.selectors) == 0:
		return errors.New("-dkim-domain, -selector and -key go together")
	case keys != len(o.selectors):
		return fmt.Errorf("%d -key but %d -selector: each key needs its selector", keys, len(o.selectors))
	case domains != 1 && domains != keys:
		return fmt.Errorf("%d -dkim-domain for %d -key: give one for all keys, or one for each", domains, keys)
	}
	var order []string
	byDomain := map[string][]dkim.Key{}
	for i, path := range o.keys {
		key, err := dkim.LoadKey(path)
		if err != nil {
			return err
		}
		domain := o.dkimDomains[min(i, domains-1)]
		if byDomain[domain] == nil {
			order = append(order, domain)
		}
		byDomain[domain] = append(byDomain[domain], dkim.Key{Selector: o.selectors[i], Signer: key})
	}
	var signers []*dkim.Signer
	for _, domain := range order {
		signer, err := dkim.NewSigner(dkim.Config{Domain: domain, Keys: byDomain[domain]})
		if err != nil {
			return err
		}
		signers = append(signers, signer)
	}
	o.config.Signer = dkim.ByDomain(signers...)
	return nil
}

func (o *options) setTLS(s string) error {
	policies := map[string]mxsend.TLSPolicy{"required": mxsend.TLSRequired, "implicit": mxsend.TLSImplicit,
		"opportunistic": mxsend.TLSOpportunistic, "disabled": mxsend.TLSDisabled}
	policy, ok := policies[s]
	if !ok {
		return errors.New("want required, implicit, opportunistic or disabled")
	}
	o.config.TLS = policy
	return nil
}

func (o *options) addWeight(s string) error {
	host, weight, _ := strings.Cut(s, "=")
	n, err := strconv.Atoi(weight)
	if host == "" || err != nil {
		return errors.New("want host=weight, such as p1.relays.example.com=2")
	}
	if o.config.Weights == nil {
		o.config.Weights = map[string]int{}
	}
	o.config.Weights[host] = n
	return nil
}

func (o *options) addOutbound(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%q is no IP address", text)
		}
		o.config.Check.OutboundIPs = append(o.config.Check.OutboundIPs, ip)
	}
	return nil
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

// appendList takes several at a time, separated by commas.
func appendList(list *[]string) func(string) error {
	return func(s string) error {
		for item := range strings.SplitSeq(s, ",") {
			*list = append(*list, strings.TrimSpace(item))
		}
		return nil
	}
}
