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

// Check looks at all that mail depends on and changes nothing: no mail is sent,
// and a relay sees a connection with EHLO, STARTTLS and AUTH as Config has them,
// and QUIT. It connects to every address of every relay of both lanes' domains,
// drained relays too, but not those beyond Config.MaxPreference, beside the
// connections that the Client has open and whatever its health says of them;
// nor does what is found count there. An address that says nothing for half a
// minute has failed. Config.Check says what else to look at.
//
// A finding is no error: see CheckResult.OK. The error is ctx's when it ended
// first, or ErrClosed; the CheckResult then holds what was found so far, and one
// finding that says so. Where ctx has no deadline, Check takes a minute at most. It may
// be called at any time and concurrently with everything else.
func (c *Client) Check(ctx context.Context) (CheckResult, error) {
	c.mu.Lock()
	if c.closed {
		c.unlock()
		return CheckResult{}, ErrClosed
	}
	c.goroutines.Add(1) // Close waits for a Check, and ends it
	c.unlock()
	defer c.goroutines.Done()
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, checkTime)
		defer cancel()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	defer stop()

	names, release, err := c.publicNames()
	if err != nil {
		return CheckResult{}, err
	}
	defer release()
	result := CheckResult{Findings: inParallel(ctx, c.checkSections(names)...)}
	if ctx.Err() == nil {
		return result, nil
	}
	result.Findings = append(result.Findings, Finding{Severity: SeverityError, Topic: TopicCheck, Subject: "check",
		Found: "the check ended before everything was looked at: " + context.Cause(ctx).Error(), Advice: "give it more time"})
	return result, context.Cause(ctx)
}

// checkSections are the parts of a check, in the order of the way of mail.
func (c *Client) checkSections(names publicNames) []checkSection {
	cfg := &c.cfg.Check
	sections := []checkSection{
		func(context.Context) []Finding { return c.checkLocalName() },
		c.checkDomains,
		func(ctx context.Context) []Finding { return c.checkSigner(ctx, names) },
	}
	for _, domain := range cfg.ReturnPathDomains {
		sections = append(sections,
			func(ctx context.Context) []Finding { return checkReturnPath(ctx, names, domain) },
			func(ctx context.Context) []Finding { return checkSPF(ctx, names, domain, cfg.OutboundIPs) })
	}
	for _, ip := range cfg.OutboundIPs {
		sections = append(sections, func(ctx context.Context) []Finding { return []Finding{checkPTR(ctx, names, ip)} })
	}
	for _, from := range cfg.FromDomains {
		sections = append(sections, func(ctx context.Context) []Finding { return c.checkFromDomain(ctx, names, from) })
	}
	return sections
}

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
