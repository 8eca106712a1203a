package postfix

import (
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// An outcome is a way a destination can behave, for the sink and for the model.
type outcome struct {
	name  string // the destination's domain is name.test
	sink  sink
	model mxtest.Behaviour
	to    []string // local parts of the recipients; nil: u
	rules []mxtest.Rule
}

// A sink is a scripted SMTP server, or why there is none.
type sink struct {
	none    bool          // nothing listens
	dns     int           // DNS response code in place of records
	nullMX  bool          // MX 0 .
	silent  bool          // never greets
	at      mxtest.Stage  // where reply is said, or the connection dropped
	reply   string        // "" with a stage: drop
	grey    time.Duration // 450 at RCPT for that long after the first
	byLocal map[string]string
	second  *sink // a second MX host
}

const greyTime = 4 * time.Second

var outcomes = []outcome{
	{name: "accept", model: mxtest.Accept()},
	say("c421", mxtest.AtGreeting, "421 4.3.2 Service shutting down"),
	say("c554", mxtest.AtGreeting, "554 5.7.1 No service for you"),
	say("mail450", mxtest.AtMail, "450 4.7.1 Sender refused for now"),
	say("rcpt451", mxtest.AtRcpt, "451 4.7.1 Greylisted, come back later"),
	say("rcpt421", mxtest.AtRcpt, "421 4.7.0 Too much mail"),
	say("data451", mxtest.AtData, "451 4.3.0 Try again later"),
	say("dot452", mxtest.AtDot, "452 4.3.1 Out of space"),
	{name: "refused", sink: sink{none: true}, model: mxtest.Refuse()},
	{name: "silent", sink: sink{silent: true}, model: mxtest.Silence()},
	{name: "dropdata", sink: sink{at: mxtest.AtContent}, model: mxtest.Drop(mxtest.AtContent)},
	{name: "dropdot", sink: sink{at: mxtest.AtDot}, model: mxtest.Drop(mxtest.AtDot)},
	say("mail550", mxtest.AtMail, "550 5.1.8 Sender unknown"),
	say("rcpt550", mxtest.AtRcpt, "550 5.1.1 Recipient unknown"),
	say("dot554", mxtest.AtDot, "554 5.7.1 Spam"),
	{name: "servfail", sink: sink{dns: 2}, model: mxtest.ServFail()},
	{name: "nullmx", sink: sink{nullMX: true}, model: mxtest.NullMX()},
	{name: "nxdomain", sink: sink{dns: 3}, model: mxtest.NXDomain()},
	{name: "mixed", to: []string{"anna", "grete", "hugo"},
		sink: sink{byLocal: map[string]string{"grete": "450 4.2.1 Mailbox busy", "hugo": "550 5.1.1 no such user"}},
		rules: []mxtest.Rule{
			{Recipient: "grete", Do: mxtest.Reject(mxtest.AtRcpt, "450 4.2.1 Mailbox busy")},
			{Recipient: "hugo", Do: mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user")},
		}},
	{name: "grey", sink: sink{grey: greyTime}, model: mxtest.Greylist(greyTime)},
	{name: "twomx", sink: sink{at: mxtest.AtRcpt, reply: "451 4.3.0 Not here", second: &sink{}},
		rules: []mxtest.Rule{{Host: 1, Do: mxtest.Reject(mxtest.AtRcpt, "451 4.3.0 Not here")}, {Host: 2, Do: mxtest.Accept()}}},
}

// say is a destination that answers a reply at a stage.
func say(name string, at mxtest.Stage, reply string) outcome {
	return outcome{name: name, sink: sink{at: at, reply: reply}, model: mxtest.Reject(at, reply)}
}

// recipients are the addresses of an outcome.
func (o outcome) recipients() []string {
	if o.to == nil {
		return []string{"u@" + o.name + ".test"}
	}
	var list []string
	for _, local := range o.to {
		list = append(list, local+"@"+o.name+".test")
	}
	return list
}

// script is the outcome's script in the model.
func (o outcome) script() []mxtest.Rule {
	if o.rules != nil {
		return o.rules
	}
	return []mxtest.Rule{{Do: o.model}}
}
