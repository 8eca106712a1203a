package mxsend

import "context"

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
