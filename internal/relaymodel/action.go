package relaymodel

// A Kind is what the driver is to do.
type Kind uint8

// The kinds of action.
const (
	Attempt Kind = iota + 1 // deliver Job, and call Finish
	Bounce                  // tell the sender of the recipients that Finish said are Bounced, all since the last such action
	Expire                  // the same for those that are Deferred: they have bounced now
	Warn                    // warn the sender of the recipients that are Deferred
	Defer                   // the mail is in the deferred queue, due no earlier than At
	Remove                  // the mail has left the queues
)

// An Action is something for the driver to do.
type Action struct {
	Kind   Kind
	Ref    int32 // the driver's number of the mail
	Job    int32 // of Attempt
	Dest   int32 // of Attempt
	Direct bool  // of Attempt: the fallback's session is cached; deliver to it without trying the MX
	At     Time  // of Defer
}

// act hands an action to the driver.
func (q *Queue) act(a Action) { q.actions = append(q.actions, a) }

// Next takes the next action.
func (q *Queue) Next() (Action, bool) {
	if q.taken == len(q.actions) {
		q.actions, q.taken = q.actions[:0], 0
		return Action{}, false
	}
	q.taken++
	return q.actions[q.taken-1], true
}

// Recipients appends the driver's numbers of a job's recipients to dst.
func (q *Queue) Recipients(dst []int32, job int32) []int32 {
	for r := q.jobs[job].first; r != none; r = q.rcpts[r].peer {
		dst = append(dst, q.rcpts[r].ref)
	}
	return dst
}

// Finish ends a job, with a class for each of its recipients in their order: Done, Bounced or Deferred. cache says that a
// fallback's session stands open after it, taken because the MX could not be reached.
func (q *Queue) Finish(now Time, job int32, classes []Class, f Feedback, cache bool) {
	j := q.jobs[job]
	d := &q.dests[j.dest]
	d.busy--
	q.transports[d.transport].busy--
	if cache && d.todo.count > 0 {
		d.cached = now + connectionCacheTime
	}
	box := &q.mails[j.mail]
	i := 0
	for r := j.first; r != none; r = q.rcpts[r].peer {
		q.rcpts[r].state = classes[i]
		if classes[i] == Bounced {
			box.flags |= flagBounced
		}
		i++
	}
	q.freeJob(job)
	q.feedback(now, j.dest, f) // may defer more recipients of this mail, but not end its pass
	q.mails[j.mail].left -= j.count
	if q.mails[j.mail].left == 0 {
		q.passed(now, j.mail)
	}
	if d := &q.dests[j.dest]; d.busy == 0 && d.todo.count == 0 && !d.dead {
		d.window, d.cohorts = 0, 0 // forgotten with the in-memory queue of the destination
	}
	q.offer(j.dest)
	q.schedule(now)
}
