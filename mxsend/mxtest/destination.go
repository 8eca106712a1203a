package mxtest

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"
)

// A Destination is a mail domain of the world outside, as the relays meet it. Unscripted, it takes
// every mail. Its methods add rules for all its recipients, or for those that match the given
// patterns (path.Match on the lower-case address or on its local part); they return the Destination.
//
// Scripting the same recipients of a domain twice is an error, reported by tb.Fatalf or, in a cluster
// of [Start], by a panic; [Destination.Reset] starts afresh, also while the cluster runs.
//
// A Destination is safe for concurrent use.
type Destination struct {
	domain string
	fail   func(format string, args ...any)

	mu    sync.Mutex
	rules []Rule            // guarded by mu
	where map[string]string // pattern to the place it was scripted at; guarded by mu
	grey  map[string]time.Duration
}

// A Rule is a line of a destination's script. The first rule that matches decides. What it does at RCPT concerns its
// recipient; what it does at any other stage concerns all recipients of the session.
type Rule struct {
	// Recipient is a pattern on the address or its local part. Empty: every recipient.
	Recipient string

	// Host limits the rule to the MX host of that rank, 1 being the best. Zero: every host. The
	// destination has as many hosts as its rules mention.
	Host int

	// First and Last limit the rule to the nth to mth attempt for a mail's recipient, by whichever
	// relay. Zero: from the first, without end.
	First, Last int

	// After and Until limit the rule to a time since the cluster's start. Zero: from the start, without end.
	After, Until time.Duration

	Do Behaviour
}

// Accept takes the mail; useful beside a rule that does not.
func (d *Destination) Accept(recipients ...string) *Destination { return d.add(Accept(), recipients) }

// Reject answers reply at a stage; see the function [Reject].
func (d *Destination) Reject(at Stage, reply string, recipients ...string) *Destination {
	return d.add(Reject(at, reply), recipients)
}

// Greylist answers 450 for a while; see the function [Greylist].
func (d *Destination) Greylist(wait time.Duration, recipients ...string) *Destination {
	return d.add(Greylist(wait), recipients)
}

// Refuse refuses connections.
func (d *Destination) Refuse() *Destination { return d.add(Refuse(), nil) }

// Silence takes connections and says nothing.
func (d *Destination) Silence() *Destination { return d.add(Silence(), nil) }

// Drop closes the connection at a stage without a reply.
func (d *Destination) Drop(at Stage, recipients ...string) *Destination {
	return d.add(Drop(at), recipients)
}

// Tarpit takes the mail, that much later.
func (d *Destination) Tarpit(wait time.Duration, recipients ...string) *Destination {
	return d.add(Tarpit(wait), recipients)
}

// NullMX makes it a domain that takes no mail.
func (d *Destination) NullMX() *Destination { return d.add(NullMX(), nil) }

// NXDomain makes it a domain that does not exist.
func (d *Destination) NXDomain() *Destination { return d.add(NXDomain(), nil) }

// ServFail makes its DNS fail.
func (d *Destination) ServFail() *Destination { return d.add(ServFail(), nil) }

// Script sets rules in the order they are looked at. It is an error where the destination has a script.
func (d *Destination) Script(rules ...Rule) *Destination {
	at := caller()
	d.mu.Lock()
	var err error
	if len(d.rules) > 0 {
		for _, place := range d.where {
			err = fmt.Errorf("destination %s has a script (%s); call Reset before a new one", d.domain, place)
			break
		}
	}
	for i, r := range rules {
		if e := r.validate(); e != nil && err == nil {
			err = fmt.Errorf("destination %s, rule %d: %w", d.domain, i+1, e)
		}
	}
	if err == nil {
		d.rules = append(d.rules, rules...)
		for _, r := range rules {
			d.where[r.Recipient] = at
		}
	}
	d.mu.Unlock()
	return d.done(at, err)
}

// Reset forgets the script and what was greylisted: every mail is taken again.
func (d *Destination) Reset() *Destination {
	d.mu.Lock()
	d.rules, d.where, d.grey = nil, map[string]string{}, map[string]time.Duration{}
	d.mu.Unlock()
	return d.done("", nil)
}

// add adds a rule for each pattern. Rules for patterns go before those for everyone, so that the order of calls does not matter.
func (d *Destination) add(do Behaviour, patterns []string) *Destination {
	at := caller()
	if len(patterns) == 0 {
		patterns = []string{""}
	}
	d.mu.Lock()
	var err error
	for _, p := range patterns {
		p = strings.ToLower(p)
		rule := Rule{Recipient: p, Do: do}
		if err = rule.validate(); err != nil {
			err = fmt.Errorf("destination %s: %w", d.domain, err)
			break
		}
		if place, ok := d.where[p]; ok {
			who := "all recipients"
			if p != "" {
				who = fmt.Sprintf("recipient %q", p)
			}
			err = fmt.Errorf("destination %s: %s scripted twice, first at %s; call Reset before, or say both in one Script", d.domain, who, place)
			break
		}
		d.where[p] = at
		if n := len(d.rules); p != "" && n > 0 && d.rules[n-1].Recipient == "" {
			d.rules = append(d.rules[:n-1], rule, d.rules[n-1])
		} else {
			d.rules = append(d.rules, rule)
		}
	}
	d.mu.Unlock()
	return d.done(at, err)
}

// done ends a change of the script.
func (d *Destination) done(at string, err error) *Destination {
	if err != nil {
		d.fail("mxtest: %s: %v", at, err)
	}
	return d
}

func (r Rule) validate() error {
	if _, err := path.Match(r.Recipient, ""); err != nil {
		return fmt.Errorf("recipient pattern %q: %w", r.Recipient, err)
	}
	if r.Host < 0 || r.Host > 9 {
		return fmt.Errorf("Host %d: hosts are 1 to 9, 0 is all", r.Host)
	}
	if r.First < 0 || r.Last < 0 || r.Last > 0 && r.Last < r.First {
		return fmt.Errorf("attempts %d to %d never happen", r.First, r.Last)
	}
	if r.After < 0 || r.Until < 0 || r.Until > 0 && r.Until <= r.After {
		return fmt.Errorf("times %v to %v never happen", r.After, r.Until)
	}
	return r.Do.validate()
}

// caller names the first place outside this package on the stack, for messages about scripts.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.File, "_test.go") || !strings.Contains(f.Function, "/mxsend/mxtest.") {
			return fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)
		}
		if !more {
			return "?"
		}
	}
}
