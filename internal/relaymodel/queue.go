package relaymodel

import (
	"math"
	"time"
)

// A Queue is the queue manager of one relay. It is not safe for concurrent use.
//
// The driver calls Submit, Finish, Advance and Flush with the time, and after each of them takes all
// actions with Next. Time must not run backwards.
type Queue struct {
	p     Params
	mails []mail
	freeM int32
	rcpts []rcpt
	freeR int32
	jobs  []job
	freeJ int32
	dests []dest

	transports []transport
	incoming   bag
	due        list // deferred mail of which a queue run has found that it is time
	calendar   calendar
	dead       deadHeap

	active, activeRcpts, deferred int
	takeDue                       bool // the next turn is deferred mail's
	tokens                        int  // submissions that in_flow_delay lets pass
	seq                           int64
	actions                       []Action
	taken                         int // of actions, by Next
}

// none ends linked lists of slab indices.
const none = int32(-1)

// A mail is a queue file.
type mail struct {
	ref     int32
	first   int32 // recipients not done yet, by rcpt.sibling
	left    int32 // recipients not done in this pass
	count   int32 // recipients in this pass
	next    int32 // in whichever list it is in
	flags   uint8
	arrival Time
	due     Time
}

const (
	flagNotification uint8 = 1 << iota // sent by the relay itself: its lifetime is bounce_queue_lifetime
	flagWarned
	flagBounced // this pass has a bounced recipient
)

// A rcpt is a recipient of a mail.
type rcpt struct {
	ref     int32
	mail    int32
	sibling int32 // next recipient of the mail
	peer    int32 // next recipient of the delivery
	dest    int32
	state   Class // of this pass
}

// A job is a delivery: recipients of one mail at one destination, waiting or running.
type job struct {
	mail  int32
	first int32 // by rcpt.peer
	last  int32
	count int32
	dest  int32
	next  int32
	seq   int64
}

// list is a queue of slab indices.
type list struct{ head, tail, count int32 }

// A Recipient is a recipient of a mail submitted.
type Recipient struct {
	Dest int32 // destination, a small number
	Ref  int32 // the driver's number
}

// A Counts says how many mails are where.
type Counts struct{ Incoming, Active, Deferred int }

// New makes an empty queue. It panics without a transport.
func New(p Params) *Queue {
	if len(p.Transports) == 0 {
		panic("relaymodel: Params.Transports is empty")
	}
	q := &Queue{p: p, freeM: none, freeR: none, freeJ: none, incoming: newBag(), due: emptyList(), tokens: p.ProcessLimit}
	q.transports = make([]transport, len(p.Transports))
	for i, t := range p.Transports {
		q.transports[i].Transport = t
	}
	q.calendar.buckets = map[int64]list{}
	return q
}

func emptyList() list { return list{none, none, 0} }

// Counts counts the mails in the queues.
func (q *Queue) Counts() Counts {
	return Counts{Incoming: len(q.incoming.mails), Active: q.active, Deferred: q.deferred}
}

// Route sets the transport of a destination, which is 0 unless set, before its first mail.
func (q *Queue) Route(dest int32, transport int) { q.dest(dest).transport = int32(transport) }

// Submit takes a mail into the incoming queue. The driver answers the client after wait (in_flow_delay): the
// client outruns the queue manager. ref and the recipients' Ref come back in actions.
func (q *Queue) Submit(now Time, ref int32, notification bool, recipients []Recipient) (wait Time) {
	m := q.newMail()
	box := &q.mails[m]
	*box = mail{ref: ref, first: none, arrival: now, next: none}
	if notification {
		box.flags = flagNotification
	}
	for i := len(recipients) - 1; i >= 0; i-- {
		r := q.newRcpt()
		q.rcpts[r] = rcpt{ref: recipients[i].Ref, mail: m, sibling: q.mails[m].first, peer: none, dest: recipients[i].Dest}
		q.mails[m].first = r
	}
	q.incoming.put(m)
	switch {
	case notification:
	case q.tokens > 0:
		q.tokens--
	default:
		wait = q.p.InFlowDelay
	}
	q.schedule(now)
	return wait
}

// Advance does what is due by now: queue runs, and the return of dead destinations.
func (q *Queue) Advance(now Time) {
	q.wake(now, int64(now/q.p.QueueRunDelay))
	q.schedule(now)
}

// Wake is when Advance has something to do next; false: nothing is planned.
func (q *Queue) Wake() (Time, bool) {
	at, ok := q.calendar.first(q.p.QueueRunDelay)
	if len(q.dead) > 0 && (!ok || q.dead[0].at < at) {
		at, ok = q.dead[0].at, true
	}
	return at, ok
}

// Flush makes all deferred mail due, and forgets that destinations are dead (postqueue -f).
func (q *Queue) Flush(now Time) {
	q.wake(math.MaxInt64, math.MaxInt64)
	q.schedule(now)
}

// wake brings back destinations that were dead until then, and makes mail due that was deferred to a
// queue run up to that number.
func (q *Queue) wake(until Time, run int64) {
	for len(q.dead) > 0 && q.dead[0].at <= until {
		d := &q.dests[q.dead.pop().dest]
		d.dead, d.window, d.cohorts = false, 0, 0
	}
	for {
		deferred, ok := q.calendar.pop(run)
		if !ok {
			return
		}
		for m := deferred.head; m != none; {
			next := q.mails[m].next
			q.push(&q.due, m)
			m = next
		}
	}
}

// schedule moves mail into the active queue, one message a turn, alternately from incoming and from
// deferred, and starts deliveries.
func (q *Queue) schedule(now Time) {
	for q.active < q.p.ActiveLimit && q.activeRcpts < q.p.RecipientLimit {
		var m int32
		switch fromDue := q.due.count > 0 && (q.takeDue || len(q.incoming.mails) == 0); {
		case fromDue:
			m = q.pop(&q.due)
			q.deferred--
			q.takeDue = false
		case len(q.incoming.mails) > 0:
			m = q.incoming.take()
			q.tokens++
			q.takeDue = true
		default:
			m = none
		}
		if m == none {
			break
		}
		q.activate(now, m)
	}
	if len(q.incoming.mails) == 0 && q.tokens < q.p.ProcessLimit {
		q.tokens = q.p.ProcessLimit // the flow of tokens that qmgr keeps up while it has nothing to take in
	}
	for i := range q.transports {
		q.start(now, int32(i))
	}
}

// activate sorts the recipients of a mail into deliveries.
func (q *Queue) activate(now Time, m int32) {
	q.active++
	box := &q.mails[m]
	box.left, box.count, box.flags = 0, 0, box.flags&^flagBounced
	for r := box.first; r != none; r = q.rcpts[r].sibling {
		box.left++
	}
	box.count = box.left
	q.activeRcpts += int(box.left)
	for r := q.mails[m].first; r != none; {
		sibling := q.rcpts[r].sibling
		q.rcpts[r].state, q.rcpts[r].peer = Pending, none
		q.assign(m, r)
		r = sibling
	}
	if q.mails[m].left == 0 {
		q.passed(now, m)
	}
}

// assign puts a recipient into a delivery to its destination, or defers it where that is dead.
func (q *Queue) assign(m, r int32) {
	id := q.rcpts[r].dest
	d := q.dest(id)
	t := &q.transports[d.transport]
	if d.dead {
		q.rcpts[r].state = Deferred
		q.mails[m].left--
		return
	}
	if j := d.todo.tail; j != none && q.jobs[j].mail == m && int(q.jobs[j].count) < t.Recipients {
		q.rcpts[q.jobs[j].last].peer = r
		q.jobs[j].last = r
		q.jobs[j].count++
		return
	}
	j := q.newJob()
	q.seq++
	q.jobs[j] = job{mail: m, first: r, last: r, count: 1, dest: id, next: none, seq: q.seq}
	d.pushJob(q, j)
	q.offer(id)
}

// passed ends a pass of a mail through the active queue (qmgr_active_done): what bounced is told, what is too
// old bounces, what is late is warned of, and the rest is deferred.
func (q *Queue) passed(now Time, m int32) {
	box := &q.mails[m]
	q.active--
	q.activeRcpts -= int(box.count)
	last := &box.first
	for r := *last; r != none; r = *last {
		if q.rcpts[r].state == Deferred {
			last = &q.rcpts[r].sibling
			continue
		}
		*last = q.rcpts[r].sibling
		q.freeRcpt(r)
	}
	if box.flags&flagBounced != 0 {
		q.act(Action{Kind: Bounce, Ref: box.ref})
	}
	if box.first == none {
		q.act(Action{Kind: Remove, Ref: box.ref})
		q.freeMail(m)
		return
	}
	age, lifetime := now-box.arrival, q.p.QueueLifetime
	if box.flags&flagNotification != 0 {
		lifetime = q.p.BounceLifetime
	}
	if age >= lifetime {
		for r := box.first; r != none; {
			next := q.rcpts[r].sibling
			q.freeRcpt(r)
			r = next
		}
		q.act(Action{Kind: Expire, Ref: box.ref})
		q.act(Action{Kind: Remove, Ref: box.ref})
		q.freeMail(m)
		return
	}
	if w := q.p.DelayWarning; w > 0 && age >= w && box.flags&(flagWarned|flagNotification) == 0 {
		box.flags |= flagWarned
		q.act(Action{Kind: Warn, Ref: box.ref})
	}
	box.due = q.retry(box.arrival, now)
	q.deferred++
	q.act(Action{Kind: Defer, Ref: box.ref, At: box.due})
	q.calendar.add(q, q.runFor(box.due, now), m)
}

// retry is when a mail is due again: after its age, within the limits of backoff.
func (q *Queue) retry(arrival, now Time) Time {
	if q.wholeSeconds() {
		arrival, now = arrival.Truncate(time.Second), now.Truncate(time.Second)
	}
	return now + min(max(now-arrival, q.p.MinimalBackoff), q.p.MaximalBackoff)
}

// runFor is the queue run that takes up a mail due at a time: the first that is not more than a second early, which is
// what Postfix allows for clocks that differ.
func (q *Queue) runFor(due, now Time) int64 {
	if q.wholeSeconds() {
		due -= time.Second
	}
	run := int64((due + q.p.QueueRunDelay - 1) / q.p.QueueRunDelay)
	return max(run, int64(now/q.p.QueueRunDelay)+1)
}

// wholeSeconds reports whether times are those of Postfix, which has no others. Shorter ones, for tests in a hurry, are counted exactly.
func (q *Queue) wholeSeconds() bool {
	return q.p.MinimalBackoff >= time.Second && q.p.MinimalBackoff%time.Second == 0 && q.p.QueueRunDelay%time.Second == 0
}

// Reset forgets all mail, as a disk does that is lost. Deliveries that are running must not be finished any more.
func (q *Queue) Reset() { *q = *New(q.p) }
