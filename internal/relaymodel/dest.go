package relaymodel

// A dest is what the queue manager knows of a destination: its waiting deliveries and its concurrency window.
type dest struct {
	transport int32
	heap      int32 // position + 1 in the transport's heap; 0: not in it
	busy      int32
	todo      list
	window    int32   // 0: not used yet, or idle long enough to be forgotten
	cohorts   float64 // pseudo-cohorts that failed in a row
	dead      bool
	cached    Time // until then the fallback's session is cached under this destination
}

// A transport is a pool of delivery processes, and the destinations that wait for one.
type transport struct {
	Transport
	busy  int
	ready []int32 // heap of destinations by their first job's seq
}

// dest gives the state of a destination.
func (q *Queue) dest(id int32) *dest {
	for int(id) >= len(q.dests) {
		q.dests = append(q.dests, dest{todo: emptyList()})
	}
	return &q.dests[id]
}

// pushJob appends a delivery.
func (d *dest) pushJob(q *Queue, j int32) {
	if d.todo.count == 0 {
		d.todo.head = j
	} else {
		q.jobs[d.todo.tail].next = j
	}
	d.todo.tail = j
	d.todo.count++
}

// popJob takes the first delivery.
func (d *dest) popJob(q *Queue) int32 {
	j := d.todo.head
	d.todo.head = q.jobs[j].next
	d.todo.count--
	if d.todo.count == 0 {
		d.todo = emptyList()
	}
	q.jobs[j].next = none
	return j
}

// offer puts a destination among those that wait for a process, if it may use one.
func (q *Queue) offer(id int32) {
	d := &q.dests[id]
	t := &q.transports[d.transport]
	if d.window == 0 {
		d.window = int32(t.InitialConcurrency)
	}
	if d.heap == 0 && !d.dead && d.todo.count > 0 && d.busy < d.window {
		t.ready = append(t.ready, id)
		q.up(t, len(t.ready)-1)
	}
}

// start runs deliveries while the transport has processes: the oldest first, of destinations below their window.
func (q *Queue) start(now Time, ti int32) {
	t := &q.transports[ti]
	for t.busy < t.ProcessLimit && len(t.ready) > 0 {
		id := t.ready[0]
		d := &q.dests[id]
		j := d.popJob(q)
		d.busy++
		t.busy++
		if d.todo.count > 0 && d.busy < d.window {
			q.down(t, 0)
		} else {
			q.unready(t)
		}
		direct := q.p.Fallback && q.p.ConnectionCache && now < d.cached
		q.act(Action{Kind: Attempt, Ref: q.mails[q.jobs[j].mail].ref, Job: j, Dest: id, Direct: direct})
	}
}

// unready takes the first destination out of the heap.
func (q *Queue) unready(t *transport) {
	n := len(t.ready) - 1
	q.dests[t.ready[0]].heap = 0
	t.ready[0] = t.ready[n]
	t.ready = t.ready[:n]
	if n > 0 {
		q.down(t, 0)
	}
}

// withdraw takes a destination out of the heap, wherever in it.
func (q *Queue) withdraw(t *transport, id int32) {
	i := int(q.dests[id].heap) - 1
	if i < 0 {
		return
	}
	n := len(t.ready) - 1
	q.dests[id].heap = 0
	moved := t.ready[n]
	t.ready = t.ready[:n]
	if i < n {
		t.ready[i] = moved
		q.down(t, i)
		q.up(t, int(q.dests[moved].heap)-1)
	}
}

func (q *Queue) key(id int32) int64 { return q.jobs[q.dests[id].todo.head].seq }

func (q *Queue) up(t *transport, i int) {
	h := t.ready
	id := h[i]
	k := q.key(id)
	for i > 0 {
		p := (i - 1) / 2
		if q.key(h[p]) <= k {
			break
		}
		h[i] = h[p]
		q.dests[h[i]].heap = int32(i + 1)
		i = p
	}
	h[i] = id
	q.dests[id].heap = int32(i + 1)
}

func (q *Queue) down(t *transport, i int) {
	h := t.ready
	id := h[i]
	k := q.key(id)
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && q.key(h[c+1]) < q.key(h[c]) {
			c++
		}
		if k <= q.key(h[c]) {
			break
		}
		h[i] = h[c]
		q.dests[h[i]].heap = int32(i + 1)
		i = c
	}
	h[i] = id
	q.dests[id].heap = int32(i + 1)
}

// feedback changes a destination's window after a delivery (SCHEDULER_README, "Concurrency scheduling", with the default
// feedback of 1 both ways).
func (q *Queue) feedback(now Time, id int32, f Feedback) {
	d := &q.dests[id]
	t := &q.transports[d.transport]
	switch f {
	case Success:
		d.cohorts = 0
		if int(d.window) < t.Concurrency && d.window < d.busy+int32(t.InitialConcurrency) {
			d.window++
		}
	case Failure:
		if d.dead {
			return
		}
		d.cohorts += 1 / float64(d.window)
		if d.cohorts < q.p.FailedCohorts {
			d.window = max(1, d.window-1)
			return
		}
		d.dead = true
		q.dead = append(q.dead, deadline{now + q.p.MinimalBackoff, id})
		q.withdraw(t, id)
		q.abandon(now, id)
	}
}

// abandon defers what waits for a destination that has died.
func (q *Queue) abandon(now Time, id int32) {
	for q.dests[id].todo.count > 0 {
		j := q.dests[id].popJob(q)
		m := q.jobs[j].mail
		for r := q.jobs[j].first; r != none; r = q.rcpts[r].peer {
			q.rcpts[r].state = Deferred
		}
		q.mails[m].left -= q.jobs[j].count
		q.freeJob(j)
		if q.mails[m].left == 0 {
			q.passed(now, m)
		}
	}
}
