package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/mxdns"
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
// A finding is no error: see Preflight.OK. The error is ctx's when it ended
// first, or ErrClosed; the Preflight then holds what was found so far, and a line
// that says so. Where ctx has no deadline, Check takes a minute at most. It may
// be called at any time and concurrently with everything else.
func (c *Client) Check(ctx context.Context) (Preflight, error) {
	c.mu.Lock()
	if c.closed {
		c.unlock()
		return Preflight{}, ErrClosed
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
		return Preflight{}, err
	}
	defer release()
	p := Preflight{Lines: inParallel(ctx, c.checkSections(names)...)}
	if ctx.Err() == nil {
		return p, nil
	}
	p.Lines = append(p.Lines, CheckLine{Severity: SeverityError, Topic: TopicCheck, Subject: "check",
		Found: "the check ended before everything was looked at: " + context.Cause(ctx).Error(), Advice: "give it more time"})
	return p, context.Cause(ctx)
}

// checkSections are the parts of a check, in the order of the way of mail.
func (c *Client) checkSections(names publicNames) []checkSection {
	cfg := &c.cfg.Check
	sections := []checkSection{
		func(context.Context) []CheckLine { return c.checkLocalName() },
		c.checkDomains,
		func(ctx context.Context) []CheckLine { return c.checkSigner(ctx, names) },
	}
	if domain := cfg.ReturnPathDomain; domain != "" {
		sections = append(sections,
			func(ctx context.Context) []CheckLine { return checkReturnPath(ctx, names, domain) },
			func(ctx context.Context) []CheckLine { return checkSPF(ctx, names, domain, cfg.OutboundIPs) })
	}
	for _, ip := range cfg.OutboundIPs {
		sections = append(sections, func(ctx context.Context) []CheckLine { return []CheckLine{checkPTR(ctx, names, ip)} })
	}
	for _, from := range cfg.FromDomains {
		sections = append(sections, func(ctx context.Context) []CheckLine { return c.checkFrom(ctx, names, from) })
	}
	return sections
}

// A checkSection is a part of a check.
type checkSection func(ctx context.Context) []CheckLine

// inParallel runs sections, a bounded number at a time, and returns their lines
// in the sections' order.
func inParallel(ctx context.Context, sections ...checkSection) []CheckLine {
	parts := make([][]CheckLine, len(sections))
	turn := make(chan struct{}, checksAtOnce)
	var all sync.WaitGroup
	for i, section := range sections {
		turn <- struct{}{}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil { // in the user's Resolver, Signer or Dial
					parts[i] = []CheckLine{{Severity: SeverityError, Topic: TopicCheck, Subject: "check",
						Found: fmt.Sprintf("something that Config brings along panicked: %T", p), Advice: "correct its Resolver, Signer, Auth or Dial"}}
				}
				<-turn
			}()
			parts[i] = section(ctx)
		})
	}
	all.Wait()
	var lines []CheckLine
	for _, part := range parts {
		lines = append(lines, part...)
	}
	return lines
}

// publicNames is how receivers look up what they judge mail by.
type publicNames interface {
	LookupMX(ctx context.Context, domain string) (mxdns.MXSet, error)
	LookupRelays(ctx context.Context, domain string) (mxdns.Relays, error)
	LookupAddrs(ctx context.Context, host string) (mxdns.Addrs, error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupPTR(ctx context.Context, addr netip.Addr) ([]string, error)
}

// publicNames returns the DNS of receivers, and what to call after its use.
func (c *Client) publicNames() (publicNames, func(), error) {
	servers := c.cfg.Check.NameServers
	if len(servers) == 0 {
		if r, ok := c.cfg.Resolver.(*dnsResolver); ok {
			return r.resolver, func() {}, nil
		}
	}
	r, err := mxdns.New(mxdns.Config{Servers: servers})
	if err != nil {
		return nil, nil, err
	}
	return r, func() { _ = r.Close() }, nil
}

// denied says whether a lookup failed because there is nothing to be found.
func denied(err error) bool {
	return errors.Is(err, mxdns.ErrNoSuchDomain) || errors.Is(err, mxdns.ErrNoRecord) || errors.Is(err, mxdns.ErrNoAddress)
}

// nothingThere says so of a name that others wrote, too, which may be none.
func nothingThere(err error) bool { return denied(err) || errors.Is(err, mxdns.ErrInvalidName) }

// lookupTXT returns the TXT records of a name; none where there is no such name.
func lookupTXT(ctx context.Context, names publicNames, name string) ([]string, error) {
	records, err := names.LookupTXT(ctx, name)
	if denied(err) {
		return nil, nil
	}
	return records, err
}
