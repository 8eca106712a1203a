package mxsend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A domainCheck is a mail domain of the lanes and what DNS says of it.
type domainCheck struct {
	poolKey
	lanes string
	found Relays
	err   error
	hosts []Host // those that may be used, drained ones included
}

// checkDomains checks the domains of both lanes, the weights, and every address
// of every relay.
func (c *Client) checkDomains(ctx context.Context) []Finding {
	c.mu.Lock()
	weights := maps.Clone(c.cfg.Weights)
	c.mu.Unlock()
	domains := c.lookUpDomains(ctx)
	var lines []Finding
	for _, d := range domains {
		lines = append(lines, d.lines(c.cfg.MaxPreference, weights, time.Now())...)
	}
	lines = append(lines, checkWeights(domains, weights)...)

	// One address of a relay at a time: a relay may let a client have few
	// connections, and a mailing may have them.
	var probes []checkSection
	for _, d := range domains {
		for _, h := range d.hosts {
			probes = append(probes, func(ctx context.Context) (lines []Finding) {
				for _, a := range h.Addresses {
					p := probe{pool: d.poolKey, host: h, address: a, drained: weightOf(weights, h.Name) == 0}
					lines = append(lines, c.checkRelay(ctx, p)...)
				}
				return lines
			})
		}
	}
	return append(lines, inParallel(ctx, probes...)...)
}

// lookUpDomains asks for the domains of the lanes by Config.Resolver, as sending
// does.
func (c *Client) lookUpDomains(ctx context.Context) []*domainCheck {
	domains := []*domainCheck{{poolKey: c.lanes[0].pool.poolKey, lanes: "both lanes"}}
	if bulk := c.lanes[1].pool.poolKey; bulk != domains[0].poolKey {
		domains[0].lanes = "transactional"
		domains = append(domains, &domainCheck{poolKey: bulk, lanes: "bulk"})
		if bulk.port != domains[0].port {
			for _, d := range domains {
				d.lanes += fmt.Sprintf(" (port %d)", d.port)
			}
		}
	}
	var lookups []checkSection
	for _, d := range domains {
		lookups = append(lookups, func(ctx context.Context) []Finding {
			d.lookUp(ctx, c)
			for _, h := range d.found.Hosts {
				if most := c.cfg.MaxPreference; len(h.Addresses) > 0 && (most == 0 || h.Preference <= most) {
					d.hosts = append(d.hosts, h)
				}
			}
			return nil
		})
	}
	inParallel(ctx, lookups...)
	return domains
}

func (d *domainCheck) lookUp(ctx context.Context, c *Client) {
	d.found, d.err = c.resolve(ctx, d.domain)
	// Within a preference the resolver has drawn an order.
	d.found.Hosts = slices.SortedStableFunc(slices.Values(d.found.Hosts), func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Name, b.Name))
	})
}

// lines tells what DNS says of the domain.
func (d *domainCheck) lines(maxPreference int, weights map[string]int, now time.Time) []Finding {
	subject := d.domain
	if subject == "" {
		subject = "Config.Resolver"
	}
	line := func(s Severity, found, advice string) Finding {
		return Finding{Severity: s, Topic: TopicDNS, Subject: subject, Found: found, Advice: advice}
	}
	if d.err != nil {
		advice := "check the name servers that this machine asks"
		if errors.Is(d.err, ErrNoRelay) {
			advice = "publish MX records for the relays' mail domain, or correct Config.Domain"
		}
		return []Finding{line(SeverityError, "no relays: "+oneLine(d.err), advice)}
	}
	first := line(SeverityOK, d.describe(maxPreference, weights), "")
	if first.Until = d.found.Expires; !first.Until.IsZero() {
		first.Found += "; asked again in " + max(0, first.Until.Sub(now)).Round(time.Second).String()
	}
	lines := []Finding{first}
	if d.found.Stale {
		cause := "name servers give none now"
		if d.found.Cause != nil {
			cause = oneLine(d.found.Cause)
		}
		lines = append(lines, line(SeverityWarning, "this is the last good answer, and changes go unnoticed: "+cause,
			"mend the zone or its name servers before the answer is too old to be used"))
	}
	for _, w := range d.found.Warnings {
		lines = append(lines, line(SeverityWarning, w, "correct it in the zone"))
	}
	return append(lines, d.redundancy(line, weights)...)
}

// describe lists the relays by preference, with their addresses.
func (d *domainCheck) describe(maxPreference int, weights map[string]int) string {
	const most = 20
	var parts []string
	for _, h := range d.found.Hosts[:min(len(d.found.Hosts), most)] {
		s := strconv.Itoa(h.Preference) + " " + h.Name
		if len(h.Addresses) > 1 || len(h.Addresses) == 1 && h.Addresses[0].String() != h.Name {
			s += fmt.Sprint(" ", h.Addresses)
		}
		switch w := weightOf(weights, h.Name); {
		case len(h.Addresses) == 0:
			s += " (not used: it has no address)"
		case maxPreference > 0 && h.Preference > maxPreference:
			s += " (not used: beyond Config.MaxPreference)"
		case w == 0:
			s += " (drained: weight 0)"
		case w > 1:
			s += " (weight " + strconv.Itoa(w) + ")"
		}
		parts = append(parts, s)
	}
	if more := len(d.found.Hosts) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s: %s of %s", d.lanes, plural(len(d.found.Hosts), "relay"), strings.Join(parts, ", "))
}

// redundancy warns where one failure stops all mail.
func (d *domainCheck) redundancy(line func(Severity, string, string) Finding, weights map[string]int) []Finding {
	usable, endpoints := 0, map[netip.AddrPort]bool{}
	for _, h := range d.hosts {
		if weightOf(weights, h.Name) > 0 {
			usable++
			for _, a := range h.Addresses {
				endpoints[netip.AddrPortFrom(a, uint16(h.Port))] = true
			}
		}
	}
	switch {
	case usable == 0:
		return []Finding{line(SeverityError, "no relay may be used: each is drained or beyond Config.MaxPreference", "correct Config.Weights or Config.MaxPreference")}
	case usable == 1:
		return []Finding{line(SeverityWarning, "one relay carries everything: when it is down, nothing is sent", "add another relay")}
	case len(endpoints) == 1:
		return []Finding{line(SeverityWarning, "all relays are one and the same address: when it is down, nothing is sent", "correct their addresses, or add another relay")}
	}
	return nil
}

// checkWeights finds weights that nobody has.
func checkWeights(domains []*domainCheck, weights map[string]int) (lines []Finding) {
	named := map[string]bool{}
	for _, d := range domains {
		if d.err != nil {
			return nil // who knows which names are missing
		}
		for _, h := range d.found.Hosts {
			named[canonicalHost(h.Name)] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if !named[name] {
			lines = append(lines, Finding{Severity: SeverityWarning, Topic: TopicWeights, Subject: name,
				Found:  fmt.Sprintf("weight %d is for a host that no MX record names", weights[name]),
				Advice: "correct its name in Config.Weights, or add it to DNS"})
		}
	}
	return lines
}

func weightOf(weights map[string]int, name string) int {
	if w, ok := weights[canonicalHost(name)]; ok {
		return w
	}
	return 1
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// oneLine is an error's text for a Finding: bounded, and without addresses.
func oneLine(err error) string {
	return bounded(maskAddresses(strings.ReplaceAll(err.Error(), "\n", "; ")), 400)
}

// bounded cuts s to n octets.
func bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
