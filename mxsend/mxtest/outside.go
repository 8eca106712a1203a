package mxtest

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// A visitor opens the sessions of one delivery.
type visitor struct {
	e     *engine
	now   time.Duration
	run   *running
	dest  *Destination
	hosts int
	do    []Behaviour // scratch: by pending recipient
}

// visitor prepares a delivery to a destination outside.
func (e *engine) visitor(now time.Duration, run *running) *visitor {
	v := &visitor{e: e, now: now, run: run, dest: e.outside[run.dest]}
	v.dest.mu.Lock()
	defer v.dest.mu.Unlock()
	v.hosts = 1
	for _, rule := range v.dest.rules {
		v.hosts = max(v.hosts, rule.Host)
	}
	return v
}

// ask opens a session with a host for the recipients that are pending.
func (v *visitor) ask(hop relaymodel.Hop, pending []int32) relaymodel.Session {
	if hop.Fallback {
		return v.fallback(hop.Index, pending)
	}
	s := v.outside(hop, pending)
	for k, i := range pending {
		if v.run.why[i] = s.All.Reason; !s.Absent {
			v.run.why[i] = s.Each[k].Reason
		}
	}
	return s
}

// outside opens a session with a host of the destination.
func (v *visitor) outside(hop relaymodel.Hop, pending []int32) relaymodel.Session {
	v.dest.mu.Lock()
	defer v.dest.mu.Unlock()
	v.do = v.do[:0]
	scripted := false
	for _, i := range pending {
		b := v.dest.behaviour(v.now, hop.Index+1, &v.e.rcpts[v.run.rcpts[i]])
		if b.kind == doGreylist {
			b = v.greylist(b, v.run.rcpts[i])
		}
		scripted = scripted || b.kind != doAccept
		v.do = append(v.do, b)
	}
	where := place{domain: v.dest.domain, host: "mx." + v.dest.domain, addr: v.dest.address(hop.Index)}
	if hop.Index > 0 {
		where.host = fmt.Sprintf("mx%d.%s", hop.Index+1, v.dest.domain)
	}
	if !scripted {
		return relaymodel.Session{Each: v.all(len(pending), relaymodel.Done, reason{status: "2.0.0", host: where.host, addr: where.addr, reply: "250 2.0.0 Ok"})}
	}
	return v.session(where, v.do)
}

// place is a host of a destination.
type place struct{ domain, host, addr string }

// behaviour finds the rule for a recipient. d.mu is held.
func (d *Destination) behaviour(now time.Duration, host int, to *rcptRec) Behaviour {
	for _, r := range d.rules {
		if r.Host != 0 && r.Host != host || now < r.After || r.Until > 0 && now >= r.Until {
			continue
		}
		if n := int(to.attempts) + 1; n < r.First || r.Last > 0 && n > r.Last {
			continue
		}
		if r.Recipient != "" && !matches(r.Recipient, to.address) {
			continue
		}
		return r.Do
	}
	return Behaviour{}
}

// matches reports whether an address, or its local part, matches a pattern.
func matches(pattern, address string) bool {
	address = strings.ToLower(address)
	if ok, _ := path.Match(pattern, address); ok {
		return true
	}
	local, _, _ := cutLast(address, '@')
	ok, _ := path.Match(pattern, local)
	return ok
}

// greylist turns a Greylist into what it means now for a recipient.
func (v *visitor) greylist(b Behaviour, id int32) Behaviour {
	box := &v.e.mails[v.e.copies[v.run.copy].mail]
	key := v.run.relay.network() + "\x00" + box.returnPath + "\x00" + strings.ToLower(v.e.rcpts[id].address)
	first, ok := v.dest.grey[key]
	if !ok {
		first = v.now
		v.dest.grey[key] = first
	}
	if v.now-first >= b.wait {
		return Accept()
	}
	return Reject(AtRcpt, "450 4.7.1 Greylisted, come back later")
}

// address makes up the address of a destination's host, from a network for documentation (RFC 5737).
func (d *Destination) address(host int) string {
	sum := uint32(2166136261)
	for i := range len(d.domain) {
		sum = (sum ^ uint32(d.domain[i])) * 16777619
	}
	return fmt.Sprintf("203.0.113.%d", (int(sum%240)+host)%250+1)
}

// all is one verdict for everyone.
func (v *visitor) all(n int, class relaymodel.Class, r reason) []relaymodel.Verdict {
	id := v.e.reason(r)
	each := make([]relaymodel.Verdict, n)
	for i := range each {
		each[i] = relaymodel.Verdict{Class: class, Reason: id}
	}
	return each
}

// session goes through a session with a host that does, for each recipient, do[i].
func (v *visitor) session(at place, do []Behaviour) relaymodel.Session {
	if s, absent := v.absent(at, do); absent {
		return s
	}
	s := relaymodel.Session{Each: make([]relaymodel.Verdict, len(do))}
	for _, b := range do {
		if b.kind == doTarpit {
			s.Took = max(s.Took, b.wait)
		}
	}
	settle := func(class relaymodel.Class, r reason, from int) {
		id := v.e.reason(r)
		for i := from; i < len(do); i++ {
			if s.Each[i].Class == relaymodel.Pending {
				s.Each[i] = relaymodel.Verdict{Class: class, Reason: id}
			}
		}
	}
	for stage := AtMail; stage <= AtDot; stage++ {
		for i, b := range do {
			if b.at != stage || s.Each[i].Class != relaymodel.Pending {
				continue
			}
			switch b.kind {
			case doDrop:
				s.Broken = true
				settle(relaymodel.Deferred, lost(at, stage), 0)
			case doReject:
				class, r := verdict(at, stage, b.reply)
				if stage == AtRcpt && !strings.HasPrefix(b.reply, "421") {
					s.Each[i] = relaymodel.Verdict{Class: class, Reason: v.e.reason(r)}
				} else if stage == AtRcpt {
					settle(class, r, i)
				} else {
					settle(class, r, 0)
				}
			}
		}
	}
	settle(relaymodel.Done, reason{status: "2.0.0", host: at.host, addr: at.addr, reply: "250 2.0.0 Ok"}, 0)
	return s
}

// absent is a session in which nobody was there to talk to.
func (v *visitor) absent(at place, do []Behaviour) (relaymodel.Session, bool) {
	s := relaymodel.Session{Absent: true}
	cfg := &v.run.relay.cfg
	say := func(class relaymodel.Class, status, format string, args ...any) (relaymodel.Session, bool) {
		s.All = v.e.explain(class, status, format, args...)
		return s, true
	}
	for _, b := range do {
		switch {
		case b.kind == doServFail:
			s.Final = true
			return say(relaymodel.Deferred, "4.4.3", "Host or domain name not found. Name service error for name=%s type=MX: Host not found, try again", at.domain)
		case b.kind == doNullMX:
			s.Final = true
			return say(relaymodel.Bounced, "5.1.0", "Domain %s does not accept mail (nullMX)", at.domain)
		case b.kind == doNXDomain:
			s.Final = true
			return say(relaymodel.Bounced, "5.4.4", "Host or domain name not found. Name service error for name=%s type=A: Host not found", at.domain)
		case b.kind == doRefuse:
			return say(relaymodel.Deferred, "4.4.1", "connect to %s[%s]:25: Connection refused", at.host, at.addr)
		case b.kind == doSilence:
			s.Took = cfg.SMTPHeloTimeout
			return say(relaymodel.Deferred, "4.4.2", "conversation with %s[%s] timed out while receiving the initial server greeting", at.host, at.addr)
		case b.kind == doDrop && (b.at == AtGreeting || b.at == AtEHLO):
			s.All = relaymodel.Verdict{Class: relaymodel.Deferred, Reason: v.e.reason(lost(at, b.at))}
			return s, true
		case b.kind == doReject && (b.at == AtGreeting || b.at == AtEHLO):
			_, r := verdict(at, b.at, b.reply)
			r.status = "4" + r.status[1:] // smtp_skip_5xx_greeting: never a reason to bounce
			s.All = relaymodel.Verdict{Class: relaymodel.Deferred, Reason: v.e.reason(r)}
			return s, true
		}
	}
	return s, false
}

// verdict is what a reply means.
func verdict(at place, stage Stage, text string) (relaymodel.Class, reason) {
	rep, err := parseReply(text)
	if err != nil {
		rep = reply{code: 451, status: "4.3.0", text: text}
	}
	r := reason{status: rep.status, host: at.host, addr: at.addr, reply: rep.String(), stage: stage}
	if r.status == "" {
		r.status = fmt.Sprintf("%d.0.0", rep.code/100)
	}
	if rep.code >= 500 {
		return relaymodel.Bounced, r
	}
	return relaymodel.Deferred, r
}

// lost is a connection that broke.
func lost(at place, stage Stage) reason {
	doing := map[Stage]string{
		AtGreeting: "receiving the initial server greeting", AtEHLO: "performing the EHLO handshake", AtMail: "sending MAIL FROM", AtRcpt: "sending RCPT TO",
		AtData: "sending DATA command", AtContent: "sending message body", AtDot: "sending end of data -- message may be sent more than once",
	}[stage]
	return reason{status: "4.4.2", reply: fmt.Sprintf("lost connection with %s[%s] while %s", at.host, at.addr, doing)}
}

// fallback hands recipients over to a fallback relay, if it will have them.
func (v *visitor) fallback(index int, pending []int32) relaymodel.Session {
	g := v.run.fallbacks[index]
	at := place{domain: g.name, host: g.name, addr: g.ip}
	if g.blackHoled {
		s := relaymodel.Session{Absent: true, Took: v.run.relay.cfg.SMTPConnectTimeout}
		s.All = v.e.explain(relaymodel.Deferred, "4.4.1", "connect to %s[%s]:25: Connection timed out", at.host, at.addr)
		return s
	}
	if g.halted {
		s := relaymodel.Session{Absent: true}
		s.All = v.e.explain(relaymodel.Deferred, "4.4.1", "connect to %s[%s]:25: Connection refused", at.host, at.addr)
		return s
	}
	do := make([]Behaviour, len(pending))
	for k, i := range pending {
		do[k] = g.asFallback(v.e.rcpts[v.run.rcpts[i]].address)
	}
	s := v.session(at, do)
	for k, i := range pending {
		if !s.Absent && s.Each[k].Class == relaymodel.Done {
			v.run.via[i] = int8(index + 1)
		}
	}
	return s
}
