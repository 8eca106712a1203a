package relaymodel

// A Class is what has become of a recipient.
type Class uint8

// The classes of a recipient.
const (
	Pending  Class = iota // nothing yet
	Done                  // taken
	Bounced               // refused for good
	Deferred              // refused for now, or nobody there
)

// Feedback is what a delivery says about the destination as a whole.
type Feedback uint8

// The kinds of feedback.
const (
	Neutral Feedback = iota
	Success          // somebody was there, whatever it said about the recipients
	Failure          // nobody was there
)

// A Verdict is what a host said about one recipient.
type Verdict struct {
	Class  Class // Done, Bounced or Deferred
	Reason int32 // the driver's number of the reply
}

// A Session is how a delivery to one host went.
type Session struct {
	Took   Time
	Absent bool // nobody there: DNS, connect, or greeting. Verdict is for all recipients
	Final  bool // of Absent: the DNS said so (null MX, NXDOMAIN), so no other host is asked but a fallback
	All    Verdict
	Each   []Verdict // where not Absent: one for each recipient asked for
	Broken bool      // where not Absent: the connection broke, which counts as nobody there for feedback
}

// A Hop is a host that a delivery may go to.
type Hop struct {
	Fallback bool
	Index    int // MX hosts by rank, or fallbacks in their order
}

// A Route is where a delivery may go.
type Route struct {
	Hosts     int // MX hosts
	Fallbacks int
	Sessions  int  // smtp_mx_session_limit
	Addresses int  // smtp_mx_address_limit
	Direct    bool // skip the MX hosts
}

// A Delivery is the outcome of [Deliver].
type Delivery struct {
	Took     Time
	Feedback Feedback
	Cache    bool // see Queue.Finish
}

// Deliver does what smtp(8) does with one delivery of n recipients, and writes a verdict for each into
// verdicts. ask opens a session with a host for those recipients (indices) that are still to be delivered.
//
//   - The MX hosts are tried in turn, and after them the fallbacks in theirs; a recipient moves on when it is refused
//     for now, or when nobody is there. What the last host says is what counts.
//   - 5xx to a recipient is final wherever it comes from, also from a fallback.
//   - A domain that the DNS says takes no mail is the fallback's, if there is one; else it bounces.
func Deliver(n int, route Route, ask func(Hop, []int32) Session, verdicts []Verdict) Delivery {
	var d Delivery
	pending := make([]int32, n)
	for i := range pending {
		pending[i] = int32(i)
		verdicts[i] = Verdict{Class: Pending}
	}
	present, unreached := false, route.Direct
	visit := func(hop Hop, last bool) (sessions int, final bool) {
		s := ask(hop, pending)
		d.Took += s.Took
		if s.Absent {
			if !hop.Fallback {
				unreached = true
			}
			for _, i := range pending {
				verdicts[i] = s.All
				if !s.Final || !last {
					verdicts[i].Class = Deferred
				}
			}
			present = false
			return 0, s.Final
		}
		present = !s.Broken
		left := pending[:0]
		for k, i := range pending {
			verdicts[i] = s.Each[k]
			if s.Each[k].Class == Deferred {
				left = append(left, i)
			}
		}
		pending = left
		d.Cache = hop.Fallback && unreached
		return 1, false
	}
	if !route.Direct {
		sessions := 0
		for i := 0; i < route.Hosts && i < route.Addresses && sessions < route.Sessions && len(pending) > 0; i++ {
			k, final := visit(Hop{Index: i}, route.Fallbacks == 0)
			sessions += k
			if final {
				break
			}
		}
	}
	for i := 0; i < route.Fallbacks && len(pending) > 0; i++ {
		visit(Hop{Fallback: true, Index: i}, true)
	}
	if present {
		d.Feedback = Success
	} else {
		d.Feedback = Failure
	}
	return d
}
