package mxsend

import "time"

// health is what is known of a relay's fitness. Its methods are pure: they take
// the time and a random number and return what follows from them.
//
// Only failures that blame the relay are brought here: of connecting, greeting,
// EHLO, TLS; 421; time-outs; 4yz of class X.3, or X.4 outside RCPT; replies that
// refuse this client whatever the recipient; and that 4yz comes without end.
type health struct {
	failures  int           // in a row
	refusals  int           // of this client, in a row, without an acceptance between
	deferrals int           // 4yz that blame nobody, in a row, without an acceptance between
	outs      int           // ejections since it was last well, for the doubling
	out       bool          // ejected, and not yet back in full
	pauses    int           // while it was the last usable relay, since it was last well
	until     time.Time     // the end of the last ejection or pause
	window    [2]healthTick // the running and the last five seconds
	accepted  time.Time     // when it last accepted a recipient; zero: never
}

type healthTick struct {
	start      time.Time
	good, fail int
}

const (
	ejectInARow   = 5
	ejectRefusals = 20
	ejectShareOf  = 20 // half of at least so many within the window
	healthTickLen = 5 * time.Second
	ejectFirst    = 5 * time.Second
	ejectMost     = 300 * time.Second
	unreachedMost = 30 * time.Second // where it is a connection that was tried, and no message
	coolFirst     = 100 * time.Millisecond
	lastRelayMost = 30 * time.Second
)

// sentence is what health says after a failure.
type sentence struct {
	eject bool
	wait  time.Duration // nothing new for that long
}

// fail counts a failure. last says that no other relay is usable: it is then
// paused for a moment, never ejected. random is in [0, 1).
func (h *health) fail(now time.Time, connecting, last bool, random float64) sentence {
	h.failures++
	h.tick(now).fail++
	good, fail := h.window[0].good+h.window[1].good, h.window[0].fail+h.window[1].fail
	share := good+fail >= ejectShareOf && 2*fail >= good+fail
	if h.failures >= ejectInARow || share || h.out {
		if now.Before(h.until) {
			return sentence{} // it was begun before, and says nothing new
		}
		if last {
			wait := jitter(doubled(time.Second, h.pauses, lastRelayMost), random)
			h.pauses++
			h.until = now.Add(wait)
			return sentence{wait: wait}
		}
		most := ejectMost
		if connecting {
			most = unreachedMost
		}
		return h.eject(now, most, random)
	}
	if connecting {
		return sentence{wait: jitter(doubled(coolFirst, h.failures-1, time.Second), random)}
	}
	return sentence{}
}

// silent notes, before the failure that it is learnt by, that the relay says nothing
// on any connection: that is as good as a failure of each of them.
func (h *health) silent() { h.failures = max(h.failures, ejectInARow-1) }

// refuse counts a reply that refuses this client. A relay that does so without
// end is put out even if it is the last: mail that waits is better than mail
// that is refused. keep says that it is left in all the same.
func (h *health) refuse(now time.Time, keep bool, random float64) sentence {
	h.refusals++
	if h.refusals < ejectRefusals || keep {
		return sentence{}
	}
	return h.eject(now, ejectMost, random)
}

// deferred counts a transaction that ended with 4yz for everybody, and says whether
// there were so many in a row that it is the relay.
func (h *health) deferred() bool {
	h.deferrals++
	return h.deferrals >= ejectRefusals
}

// takes notes that the relay accepts recipients of this client.
func (h *health) takes(now time.Time) { h.refusals, h.accepted = 0, now }

// eject puts the relay out. All connections to a relay that is switched off fail
// at once, and are one event: what fails while it is out does not count. most bounds
// for how long.
func (h *health) eject(now time.Time, most time.Duration, random float64) sentence {
	if h.out && now.Before(h.until) {
		return sentence{}
	}
	wait := jitter(doubled(ejectFirst, h.outs, most), random)
	h.outs++
	h.out, h.until = true, now.Add(wait)
	return sentence{eject: true, wait: wait}
}

// succeed counts an accepted message or recipient, and says whether that
// restores an ejected relay.
func (h *health) succeed(now time.Time) (restored bool) {
	restored = h.out
	h.tick(now).good++
	if restored {
		h.window = [2]healthTick{{start: now}}
	}
	h.takes(now)
	h.failures, h.deferrals, h.out = 0, 0, false
	h.outs, h.pauses, h.until = 0, 0, time.Time{}
	return restored
}

// believable says whether a refusal by this relay may be believed to concern the
// mail: it lately accepted other mail, and refuses little.
func (h *health) believable(now time.Time) bool {
	const lately = time.Minute
	return h.refusals <= 2 && !h.accepted.IsZero() && now.Sub(h.accepted) < lately
}

// well says whether the relay takes mail as far as is known.
func (h *health) well() bool { return !h.out && h.failures < ejectInARow && h.refusals <= 2 }

func (h *health) tick(now time.Time) *healthTick {
	if now.Sub(h.window[0].start) >= healthTickLen {
		if now.Sub(h.window[0].start) >= 2*healthTickLen {
			h.window[0] = healthTick{}
		}
		h.window[1] = h.window[0]
		h.window[0] = healthTick{start: now}
	}
	return &h.window[0]
}

func doubled(first time.Duration, times int, most time.Duration) time.Duration {
	for ; times > 0 && first < most; times-- {
		first *= 2
	}
	return min(first, most)
}

// jitter spreads d over ±20 %.
func jitter(d time.Duration, random float64) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*random))
}
