package mxsend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/mxdns"
	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// Bounds of a check.
const (
	checkTime    = time.Minute      // of a Check whose context has no deadline
	probeTime    = 30 * time.Second // for one address of a relay
	checksAtOnce = 16               // how much of one kind is done at a time
)

// A checkSection is a part of a check.
type checkSection func(ctx context.Context) []Finding

// inParallel runs sections, a bounded number at a time, and returns their
// findings in the sections' order.
func inParallel(ctx context.Context, sections ...checkSection) []Finding {
	parts := make([][]Finding, len(sections))
	turn := make(chan struct{}, checksAtOnce)
	var all sync.WaitGroup
	for i, section := range sections {
		turn <- struct{}{}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil { // in the user's Resolver, Signer or Dial
					parts[i] = []Finding{{Severity: SeverityError, Topic: TopicCheck, Subject: "check",
						Found: fmt.Sprintf("something that Config brings along panicked: %T", p), Advice: "correct its Resolver, Signer, Auth or Dial"}}
				}
				<-turn
			}()
			parts[i] = section(ctx)
		})
	}
	all.Wait()
	var findings []Finding
	for _, part := range parts {
		findings = append(findings, part...)
	}
	return findings
}

// publicNames is DNS as receivers ask it.
type publicNames interface {
	senderauth.Names
	LookupRelays(ctx context.Context, domain string) (mxdns.Relays, error)
}

// publicNames returns the DNS of receivers, and what to call after its use.
func (c *Client) publicNames() (publicNames, func(), error) {
	dns := mxdns.Config{Servers: c.cfg.Check.NameServers}
	if r, ok := c.cfg.Resolver.(*dnsResolver); ok {
		if len(dns.Servers) == 0 {
			return r.resolver, func() {}, nil
		}
		dns.Dial = r.dial
	}
	r, err := mxdns.New(dns)
	if err != nil {
		return nil, nil, err
	}
	return r, func() { _ = r.Close() }, nil
}
