package relaymodel

import "math/rand/v2"

// Mails, recipients and jobs live in slabs, freed ones in a list through one of their links, so that
// a million of them cost the collector nothing.

func (q *Queue) newMail() int32 {
	if m := q.freeM; m != none {
		q.freeM = q.mails[m].next
		return m
	}
	q.mails = append(q.mails, mail{})
	return int32(len(q.mails) - 1)
}

func (q *Queue) freeMail(m int32) { q.mails[m].next, q.freeM = q.freeM, m }

func (q *Queue) newRcpt() int32 {
	if r := q.freeR; r != none {
		q.freeR = q.rcpts[r].sibling
		return r
	}
	q.rcpts = append(q.rcpts, rcpt{})
	return int32(len(q.rcpts) - 1)
}

func (q *Queue) freeRcpt(r int32) { q.rcpts[r].sibling, q.freeR = q.freeR, r }

func (q *Queue) newJob() int32 {
	if j := q.freeJ; j != none {
		q.freeJ = q.jobs[j].next
		return j
	}
	q.jobs = append(q.jobs, job{})
	return int32(len(q.jobs) - 1)
}

func (q *Queue) freeJob(j int32) { q.jobs[j].next, q.freeJ = q.freeJ, j }

// push appends a mail to a list.
func (q *Queue) push(l *list, m int32) {
	q.mails[m].next = none
	if l.count == 0 {
		l.head = m
	} else {
		q.mails[l.tail].next = m
	}
	l.tail = m
	l.count++
}

// pop takes the first mail of a list that has one.
func (q *Queue) pop(l *list) int32 {
	m := l.head
	l.head = q.mails[m].next
	l.count--
	return m
}

// A bag is the incoming queue. The queue manager reads its directory in the order the file system gives, which has nothing to
// do with age: behind a backlog, a fresh mail may be taken first or last. The order is random and always the same.
type bag struct {
	mails []int32
	rng   *rand.Rand
}

func newBag() bag { return bag{rng: rand.New(rand.NewPCG(7, 11))} }

func (b *bag) put(m int32) { b.mails = append(b.mails, m) }

func (b *bag) take() int32 {
	n := len(b.mails) - 1
	if n > 0 {
		i := b.rng.IntN(n + 1)
		b.mails[i], b.mails[n] = b.mails[n], b.mails[i]
	}
	m := b.mails[n]
	b.mails = b.mails[:n]
	return m
}

// A calendar holds deferred mail by the queue run that will find it due. Reading through all deferred
// mail at each run, as Postfix does, would find the same.
type calendar struct {
	buckets map[int64]list
	runs    runHeap // of the buckets
}

func (c *calendar) add(q *Queue, run int64, m int32) {
	b, ok := c.buckets[run]
	if !ok {
		b = emptyList()
		c.runs.push(run)
	}
	q.push(&b, m)
	c.buckets[run] = b
}

// pop takes the earliest bucket whose run is not later than the given one.
func (c *calendar) pop(run int64) (list, bool) {
	if len(c.runs) == 0 || c.runs[0] > run {
		return list{}, false
	}
	first := c.runs.pop()
	b := c.buckets[first]
	delete(c.buckets, first)
	return b, true
}

// first is the time of the earliest run that has mail.
func (c *calendar) first(delay Time) (Time, bool) {
	if len(c.runs) == 0 {
		return 0, false
	}
	return Time(c.runs[0]) * delay, true
}

// A runHeap is a min-heap of queue runs.
type runHeap []int64

func (h *runHeap) push(x int64) {
	*h = append(*h, x)
	s := *h
	for i := len(s) - 1; i > 0 && s[(i-1)/2] > s[i]; i = (i - 1) / 2 {
		s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
	}
}

func (h *runHeap) pop() int64 {
	s := *h
	top, n := s[0], len(s)-1
	s[0] = s[n]
	s = s[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && s[c+1] < s[c] {
			c++
		}
		if s[i] <= s[c] {
			break
		}
		s[i], s[c] = s[c], s[i]
		i = c
	}
	*h = s
	return top
}

// A deadline is when a dead destination is tried again.
type deadline struct {
	at   Time
	dest int32
}

// A deadHeap holds dead destinations. All stay dead for the same time, so it is a plain queue.
type deadHeap []deadline

func (h *deadHeap) pop() deadline {
	d := (*h)[0]
	*h = (*h)[1:]
	return d
}
