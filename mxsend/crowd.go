package mxsend

import "time"

// crowd is what a relay shows of having more clients than it admits sessions. A
// client sees two things only: a 421 for a greeting, and a greeting that does not
// come, since every process of smtpd is taken. Neither is an illness. What follows is
// what lets any number of clients share the relay without knowing of each other: all
// ask at the same rate, and keep a connection for the same time, whatever they have
// already. Its methods are pure: values, the time and a random number in [0, 1) in,
// values out.
type crowd struct {
	since   time.Time // of the first sign
	until   time.Time // when it is taken to be over, unless there is another sign
	refused int       // 421s since
	limit   int       // connections that may be open, after a 421 in spite of some; zero: no such limit
	cut     time.Time // when limit last went down by a quarter
	eased   time.Time // when it last changed
	openAt  time.Time // no connection is opened before
	asked   time.Time // when it was last asked for a connection, and answered

	// Of a client that has none: since when it is refused one, how long it asked lately
	// until it got one (smoothed), and the pause since it gave back its last one.
	starved       time.Time
	asking, pause time.Duration
}

const (
	// crowdLasts is for how long a relay is taken to be crowded after a sign of it.
	crowdLasts = 30 * time.Second
	// crowdedGreeting is how long the greeting of a relay that has a process to spare
	// does not take.
	crowdedGreeting = 500 * time.Millisecond
	// A connection to a crowded relay is given back after a time between these two.
	crowdHoldLeast, crowdHoldMost = 3 * time.Second, 7 * time.Second
	// crowdIdle is how long one that carries nothing is kept: no longer than it takes
	// a mailing to hand over its next message.
	crowdIdle = 20 * time.Millisecond
	// crowdRenew is how often a client that keeps its connections has one opened anew.
	crowdRenew = 20 * time.Second
	// A client without a connection that is refused one asks again after crowdAskFirst,
	// doubling with every other refusal to crowdAskMost: who comes new asks more often.
	crowdAskFirst, crowdAskMost = 250 * time.Millisecond, 4 * time.Second
	// One that has some, and is refused another, asks again after crowdGrow divided by
	// how many it has.
	crowdGrow = 2 * time.Second
	// After giving back a connection to a relay that refuses some, a client leaves it
	// to others for crowdPause; if it was its last one, up to crowdPauseMost.
	crowdPause, crowdPauseMost = 100 * time.Millisecond, 10 * time.Second
	// crowdEase is how often limit grows by one.
	crowdEase = 500 * time.Millisecond
)

// crowded says whether the relay has more clients than sessions, as far as is known.
func (w *crowd) crowded(now time.Time) bool { return now.Before(w.until) }

// refusing says whether it lately refused sessions, and does not merely have its
// clients wait.
func (w *crowd) refusing(now time.Time) bool { return w.crowded(now) && w.refused > 0 }

// sign notes a sign of crowding, and says whether it is the first.
func (w *crowd) sign(now time.Time) (first bool) {
	if first = !w.crowded(now); first {
		*w = crowd{since: now, limit: w.limit, cut: w.cut, eased: w.eased, asked: w.asked}
	}
	w.until = now.Add(crowdLasts)
	return first
}

// refuse notes a 421 for a greeting, while so many other connections are open. With
// some, fewer may be from now on: multiplicative decrease, to three quarters and at
// least one. Without, wait is how long nobody asks again.
func (w *crowd) refuse(now time.Time, open int, random float64) (wait time.Duration, first bool) {
	const once = time.Second // what is one event to the relay shall not count twice
	first = w.sign(now)
	w.refused, w.asked = w.refused+1, now
	if open == 0 {
		if w.starved.IsZero() {
			w.starved = now
		}
		return jitter(doubled(crowdAskFirst, (w.refused-1)/2, crowdAskMost), random), first
	}
	if now.Sub(w.cut) >= once {
		w.limit, w.cut = max(1, (3*open+1)/4), now
	}
	w.limit, w.eased = min(w.limit, open), now
	w.openAt = now.Add(jitter(crowdGrow/time.Duration(open), random))
	return 0, first
}

// opened notes that the relay let one in. Who had to wait for it makes do with it for
// as long as that took.
func (w *crowd) opened(now time.Time) {
	w.asked = now
	var asked time.Duration
	if !w.starved.IsZero() {
		asked = now.Sub(w.starved)
		w.limit, w.eased = 1, now.Add(w.pause+asked)
		if w.asking == 0 {
			w.asking = asked
		}
	}
	if asked > 0 || w.pause > 0 {
		w.asking += (asked - w.asking) / 4
	}
	w.starved, w.pause = time.Time{}, 0
}

// left notes that a connection was given back, and so many are left. Who gave back
// its last one waits for twice as long as it had to ask for one: so those who ask are
// those who have waited long, and find a place soon, as if they stood in line.
func (w *crowd) left(now time.Time, open int, random float64) {
	if !w.refusing(now) {
		return
	}
	pause := crowdPause
	if open == 0 {
		w.pause = min(2*w.asking, crowdPauseMost)
		pause = max(pause, w.pause)
	}
	w.openAt = now.Add(jitter(pause, random))
}

// ease lets one connection more be open after a while without a refusal, and any
// number once nothing shows that the relay is crowded. It says whether limit changed.
func (w *crowd) ease(now time.Time) bool {
	if w.limit == 0 || now.Sub(w.eased) < crowdEase {
		return false
	}
	w.limit, w.eased = w.limit+1, now
	if !w.crowded(now) {
		w.limit = 0
	}
	return true
}

// mayOpen says whether a connection more may be tried, where so many are open and so
// many being opened: one at a time where the relay is crowded, or nothing is known of
// it; else at most one more than it greeted already, so that relays that are reached at
// about the same time share what waits for them.
func (w *crowd) mayOpen(now time.Time, open, opening int) bool {
	if now.Before(w.openAt) {
		return false
	}
	return opening == 0 || opening <= open && !w.crowded(now)
}

// retireAt is when a connection that was put into service at a time is given back: at its age,
// or soon if the relay is crowded. random is the connection's own, so that those of a
// client do not go all at once.
func (w *crowd) retireAt(now, entered time.Time, age time.Duration, random float64) time.Time {
	at := entered.Add(jitter(age, random))
	if !w.crowded(now) {
		return at
	}
	if entered.Before(w.since) {
		entered = w.since // it was opened when nobody was in need of it
	}
	if soon := entered.Add(crowdHoldLeast + time.Duration(random*float64(crowdHoldMost-crowdHoldLeast))); soon.Before(at) {
		return soon
	}
	return at
}

// renew says whether a connection is to be given back and opened anew only to learn
// whether the relay has become crowded: a client that has all that it wants is told by
// nothing else. open is how many it has, to other relays, too: its only one it keeps,
// since its mail would have nowhere to go meanwhile.
func (w *crowd) renew(now time.Time, open int, random float64) bool {
	if open < 2 || now.Sub(w.asked) < jitter(crowdRenew, random) {
		return false
	}
	w.asked = now
	return true
}

// idleFor is how long a connection that carries nothing is kept.
func (w *crowd) idleFor(now time.Time, idle time.Duration) time.Duration {
	if w.crowded(now) {
		return min(idle, crowdIdle)
	}
	return idle
}
