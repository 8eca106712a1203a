package desk

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// slowness is what a slow relay takes for a mail.
const slowness = 2 * time.Second

// busy is a relay that greets nobody.
var busy = mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtGreeting, Reply: "421 4.3.2 too busy", Times: mxtest.Always}

// An action is something done to a relay, with the line of Go that does it in a test.
type action struct {
	name, label, what, code string
	do                      func(*mxtest.Relay)
}

// actions are what can be done to a relay, by name. %s in code is the relay.
var actions = []action{
	{"stop", "Stop", "switch it off: connections are refused, open ones reset", "%s.Stop()", (*mxtest.Relay).Stop},
	{"start", "Start", "switch it on, and back onto the network", "%s.Start()", (*mxtest.Relay).Start},
	{"freeze", "Freeze", "take it off the network: nothing answers any more", "%s.BlackHole()", (*mxtest.Relay).BlackHole},
	{"slow", "Slow", "take 2 s for each mail", "%s.SetLimits(mxtest.Limits{Accept: 2 * time.Second})", func(r *mxtest.Relay) { limit(r, slowness) }},
	{"fast", "Fast again", "take mail at once", "%s.SetLimits(mxtest.Limits{})", func(r *mxtest.Relay) { limit(r, 0) }},
	{"busy", "Busy", "421 in place of the greeting", `%s.Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtGreeting, Reply: "421 4.3.2 too busy", Times: mxtest.Always})`,
		func(r *mxtest.Relay) { r.Inject(busy) }},
	{"free", "Free again", "greet clients", "%s.ClearFaults()", func(r *mxtest.Relay) { mend(r, isBusy) }},
	{"refuse", "Refuse", "554 to every recipient, as with a wrong mynetworks", "%s.Inject(mxtest.RefuseClient())", func(r *mxtest.Relay) { r.Inject(mxtest.RefuseClient()) }},
	{"accept", "Accept again", "take recipients", "%s.ClearFaults()", func(r *mxtest.Relay) { mend(r, isRefusal) }},
	{"cut", "Cut at the dot", "keep the next mail, and break the connection before saying so", "%s.Inject(mxtest.CutAfterDot(true))", func(r *mxtest.Relay) { r.Inject(mxtest.CutAfterDot(true)) }},
	{"spare", "Do not cut", "let the next mail pass", "%s.ClearFaults()", func(r *mxtest.Relay) { mend(r, isCut) }},
	{"flush", "Flush", "try all deferred mail now", "%s.Flush()", (*mxtest.Relay).Flush},
}

func isBusy(f mxtest.Fault) bool    { return f.At == mxtest.AtGreeting }
func isRefusal(f mxtest.Fault) bool { return f.At == mxtest.AtRcpt }
func isCut(f mxtest.Fault) bool     { return f.At == mxtest.AtDot }

// limit changes how long a relay takes for a mail, and leaves its other limits.
func limit(r *mxtest.Relay, accept time.Duration) {
	l := r.Status().Limits
	l.Accept = accept
	r.SetLimits(l)
}

// mend takes some of a relay's faults away.
func mend(r *mxtest.Relay, some func(mxtest.Fault) bool) {
	rest := slices.DeleteFunc(r.Status().Faults, some)
	r.ClearFaults()
	r.Inject(rest...)
}

// A button is an action as it is offered for a relay now.
type button struct {
	Name, Label, What string
	On                bool // it ends what is going on
}

// buttons are what is offered for a relay as it is.
func buttons(at mxtest.RelayStatus, graveyard bool) []button {
	var list []button
	offer := func(on bool, name, instead string) {
		if on {
			name = instead
		}
		a := actions[slices.IndexFunc(actions, func(a action) bool { return a.name == name })]
		list = append(list, button{a.name, a.label, a.what, on})
	}
	offer(at.State == mxtest.Stopped, "stop", "start")
	if at.State != mxtest.Stopped {
		offer(at.State == mxtest.BlackHoled, "freeze", "start")
	}
	offer(at.Limits.Accept > 0, "slow", "fast")
	offer(slices.ContainsFunc(at.Faults, isBusy), "busy", "free")
	offer(slices.ContainsFunc(at.Faults, isRefusal), "refuse", "accept")
	offer(slices.ContainsFunc(at.Faults, isCut), "cut", "spare")
	if graveyard || at.Queues.Deferred > 0 {
		offer(false, "flush", "")
	}
	return list
}

// An answerKind is something a destination can be made to do.
type answerKind struct {
	Name, Label string
	code        string // of the behaviour; %d is the wait in seconds, where there is one
	do          func(wait time.Duration) mxtest.Behaviour
}

// answers are what destinations can be made to do, by name.
var answers = []answerKind{
	{"take", "take every mail", "", nil},
	{"greylist", "greylist for … s", "Greylist(%d * time.Second)", mxtest.Greylist},
	{"slow", "take … s for a mail", "Tarpit(%d * time.Second)", mxtest.Tarpit},
	{"unknown", "550 5.1.1 no such user", `Reject(mxtest.AtRcpt, "550 5.1.1 no such user")`, reject(mxtest.AtRcpt, "550 5.1.1 no such user")},
	{"full", "452 4.2.2 mailbox full", `Reject(mxtest.AtRcpt, "452 4.2.2 mailbox full")`, reject(mxtest.AtRcpt, "452 4.2.2 mailbox full")},
	{"spam", "554 5.7.1 spam, after the dot", `Reject(mxtest.AtDot, "554 5.7.1 spam")`, reject(mxtest.AtDot, "554 5.7.1 spam")},
	{"refuse", "refuse connections", "Refuse()", func(time.Duration) mxtest.Behaviour { return mxtest.Refuse() }},
	{"silence", "take connections and say nothing", "Silence()", func(time.Duration) mxtest.Behaviour { return mxtest.Silence() }},
	{"drop", "cut the connection at the dot", "Drop(mxtest.AtDot)", func(time.Duration) mxtest.Behaviour { return mxtest.Drop(mxtest.AtDot) }},
	{"nullmx", "have a null MX", "NullMX()", func(time.Duration) mxtest.Behaviour { return mxtest.NullMX() }},
	{"nxdomain", "not exist", "NXDomain()", func(time.Duration) mxtest.Behaviour { return mxtest.NXDomain() }},
	{"servfail", "have DNS that fails", "ServFail()", func(time.Duration) mxtest.Behaviour { return mxtest.ServFail() }},
}

func reject(at mxtest.Stage, reply string) func(time.Duration) mxtest.Behaviour {
	return func(time.Duration) mxtest.Behaviour { return mxtest.Reject(at, reply) }
}

// A deed is something that was done, and how a test does it.
type deed struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Go   string    `json:"go"`
}

// remembers is how many deeds are kept.
const remembers = 100

// act carries out an action, one at a time, and remembers it. It answers with the deed, or leads the browser back to a place
// on the page.
func (d *Desk) act(w http.ResponseWriter, r *http.Request, back, what, code string, do func()) {
	if err := d.carryOut(do); err != nil {
		d.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	did := deed{time.Now(), what, code}
	d.mu.Lock()
	d.done = append(d.done, did)
	if len(d.done) > remembers {
		d.done = d.done[1:]
	}
	d.mu.Unlock()
	d.publish()
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, did)
		return
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// carryOut does something to the cluster when nothing else is being done to it. The cluster panics where it cannot do what it
// is told, since that is a mistake in a test; here it is the visitor's.
func (d *Desk) carryOut(do func()) (err error) {
	d.acting <- struct{}{}
	defer func() {
		<-d.acting
		if p := recover(); p != nil {
			err = fmt.Errorf("that cannot be done: %v", p)
		}
	}()
	do()
	return nil
}

func (d *Desk) actOnRelay(w http.ResponseWriter, r *http.Request) {
	id, name := r.PathValue("relay"), r.FormValue("do")
	i := slices.IndexFunc(actions, func(a action) bool { return a.name == name })
	primaries := 0
	for n, relay := range d.cluster.Relays() {
		if !relay.Graveyard() {
			primaries++
		}
		if short(relay) != id && relay.Name() != id {
			continue
		}
		if i < 0 {
			d.fail(w, r, http.StatusBadRequest, fmt.Sprintf("do=%.40q is no action: see /api", name))
			return
		}
		code := fmt.Sprintf("cluster.Primary(%d)", n)
		if relay.Graveyard() {
			code = fmt.Sprintf("cluster.Graveyard(%d)", n-primaries)
		}
		a := actions[i]
		d.act(w, r, "/#"+short(relay), short(relay)+": "+strings.ToLower(a.label), fmt.Sprintf(a.code, code), func() { a.do(relay) })
		return
	}
	d.fail(w, r, http.StatusNotFound, fmt.Sprintf("there is no relay %.40q", id))
}

func (d *Desk) actOnDestination(w http.ResponseWriter, r *http.Request) {
	domain, name := strings.ToLower(strings.TrimSpace(r.FormValue("domain"))), r.FormValue("do")
	i := slices.IndexFunc(answers, func(a answerKind) bool { return a.Name == name })
	wait := 20 * time.Second
	if text := r.FormValue("wait"); text != "" {
		seconds, err := time.ParseDuration(strings.TrimSuffix(strings.TrimSpace(text), "s") + "s")
		if err != nil || seconds < time.Second || seconds > 30*24*time.Hour {
			d.fail(w, r, http.StatusBadRequest, fmt.Sprintf("wait=%.40q is no number of seconds from 1 to 2592000", text))
			return
		}
		wait = seconds.Truncate(time.Second)
	}
	if i < 0 {
		d.fail(w, r, http.StatusBadRequest, fmt.Sprintf("do=%.40q is no answer: see /api", name))
		return
	}
	a := answers[i]
	code := fmt.Sprintf("cluster.Destination(%q).Reset()", domain)
	label := a.Label
	if a.do != nil {
		behaviour := a.code
		if strings.Contains(behaviour, "%d") {
			behaviour = fmt.Sprintf(behaviour, int(wait.Seconds()))
			label = strings.Replace(label, "…", fmt.Sprint(int(wait.Seconds())), 1)
		}
		code += "." + behaviour
	}
	d.act(w, r, "/#destinations", domain+": "+label, code, func() {
		dest := d.cluster.Destination(domain).Reset()
		if a.do != nil {
			dest.Script(mxtest.Rule{Do: a.do(wait)})
		}
	})
}

func (d *Desk) actOnClock(w http.ResponseWriter, r *http.Request) {
	by, err := time.ParseDuration(r.FormValue("by"))
	if err != nil || by <= 0 || by > 30*24*time.Hour {
		d.fail(w, r, http.StatusBadRequest, fmt.Sprintf("by=%.40q is no time such as 5m or 120h, of at most 30 days", r.FormValue("by")))
		return
	}
	code := fmt.Sprintf("cluster.Advance(%s)", goDuration(by))
	d.act(w, r, "/#clock", "clock: "+span(by)+" passed", code, func() { d.cluster.Advance(by) })
}

func (d *Desk) actOnDNS(w http.ResponseWriter, r *http.Request) {
	name, text := strings.ToLower(strings.TrimSpace(r.FormValue("name"))), strings.TrimSpace(r.FormValue("text"))
	if name == "" || text == "" {
		d.fail(w, r, http.StatusBadRequest, "name and text are both needed")
		return
	}
	d.act(w, r, "/connect#dns", "DNS: TXT record of "+name, fmt.Sprintf("cluster.DNS().SetTXT(%q, %q)", name, text), func() { d.cluster.DNS().SetTXT(name, text) })
}

// goDuration writes a time as Go code does.
func goDuration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d * time.Hour", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d * time.Minute", d/time.Minute)
	}
	return fmt.Sprintf("%d * time.Second", (d+time.Second-1)/time.Second)
}
