package mxtest

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// A running is a delivery under way.
type running struct {
	relay     *Relay
	job       int32
	copy      int32
	dest      int32
	rcpts     []int32
	verdicts  []relaymodel.Verdict
	classes   []relaymodel.Class
	via       []int8  // by recipient: the fallback that took it + 1; 0: none
	why       []int32 // by recipient: the reason that its destination gave, before a fallback took it
	feedback  relaymodel.Feedback
	cache     bool
	wiped     int // the relay's disk generation
	fallbacks []*Relay
}

func heapPop(h *eventHeap) event { return heap.Pop(h).(event) }

// attempt begins a delivery: what will come of it is decided now, and comes to be when the time it takes has passed.
func (e *engine) attempt(now time.Duration, r *Relay, a relaymodel.Action) {
	run := &running{relay: r, job: a.Job, copy: a.Ref, dest: a.Dest, wiped: r.wiped}
	run.rcpts = r.queue.Recipients(nil, a.Job)
	for _, id := range run.rcpts {
		e.move(&e.rcpts[id], Queued)
	}
	n := len(run.rcpts)
	run.verdicts = make([]relaymodel.Verdict, n)
	run.classes = make([]relaymodel.Class, n)
	run.via = make([]int8, n)
	run.why = make([]int32, n)
	if a.Dest == noteDest {
		if e.out != nil {
			e.external++
			e.out(run)
			return
		}
		run.verdicts[0] = relaymodel.Verdict{Class: relaymodel.Done, Reason: e.reason(reason{status: "2.0.0", reply: "delivered to the ledger"})}
		run.feedback = relaymodel.Success
		e.finish(now, run)
		return
	}
	run.fallbacks = r.fallbacks(e)
	visit := e.visitor(now, run)
	route := relaymodel.Route{
		Hosts: visit.hosts, Fallbacks: len(run.fallbacks), Sessions: r.cfg.SMTPMXSessionLimit, Addresses: r.cfg.SMTPMXAddressLimit, Direct: a.Direct,
	}
	d := relaymodel.Deliver(n, route, visit.ask, run.verdicts)
	run.feedback, run.cache = d.Feedback, d.Cache
	if d.Took <= 0 {
		e.finish(now, run)
		return
	}
	e.serial++
	heap.Push(&e.events, event{at: now + d.Took, seq: e.serial, run: run})
}

// finish makes what a delivery decided come to be.
func (e *engine) finish(now time.Duration, run *running) {
	r := run.relay
	if run.wiped != r.wiped {
		return // its queue went with the disk
	}
	var took []int32
	for i, id := range run.rcpts {
		to := &e.rcpts[id]
		v := run.verdicts[i]
		run.classes[i] = v.Class
		to.reason = v.Reason
		to.attempts++
		switch v.Class {
		case relaymodel.Done:
			if run.via[i] == 0 {
				e.move(to, Delivered)
				e.settle(now, to)
				took = append(took, id)
			} else {
				e.try(now, to, run.why[i])
			}
		case relaymodel.Bounced:
			e.move(to, Bounced)
			e.settle(now, to)
		default:
			e.move(to, Deferred)
			e.try(now, to, v.Reason)
			if run.feedback == relaymodel.Failure {
				e.suspended[siteKey{r.index, run.dest}] = v.Reason
			}
		}
	}
	if len(took) > 0 {
		e.delivered(now, run, took)
	}
	for k, to := range run.fallbacks {
		var handed []int32
		for i, id := range run.rcpts {
			if int(run.via[i]) == k+1 && run.classes[i] == relaymodel.Done {
				handed = append(handed, id)
			}
		}
		if len(handed) > 0 {
			e.counts.HandedOver += len(handed)
			e.enqueue(now, to, e.copies[run.copy].mail, run.copy, handed)
		}
	}
	r.queue.Finish(now, run.job, run.classes, run.feedback, run.cache)
}

// settle takes note of a recipient that has left the queues.
func (e *engine) settle(now time.Duration, to *rcptRec) {
	to.done = now
	box := &e.mails[to.mail]
	box.open--
	if box.open == 0 && to.place != Bounced { // a bounce may still have to quote it
		e.release(to.mail)
	}
}

// delivered records what a destination took, and tells senders who asked for that.
func (e *engine) delivered(now time.Duration, run *running, took []int32) {
	if run.dest == noteDest {
		return
	}
	e.deliveries = append(e.deliveries, deliveryRec{copy: run.copy, dest: run.dest, at: now, rcpts: took})
	var asked []int32
	for _, id := range took {
		if e.rcpts[id].notify.wants(notifySuccess) {
			asked = append(asked, id)
		}
	}
	if asked != nil {
		// The destinations here do not offer DSN, so the relay reports that it relayed (RFC 3461 §5.2.2).
		e.report(now, run.relay, run.copy, "relayed", notifySuccess, asked)
	}
}

// bounced reports the recipients of a copy that have bounced since the last report.
func (e *engine) bounced(now time.Duration, r *Relay, c int32) {
	var ids []int32
	for _, id := range e.inCopy(c, Bounced) {
		if !e.rcpts[id].told {
			e.rcpts[id].told = true
			ids = append(ids, id)
		}
	}
	e.report(now, r, c, "failed", notifyFailure, ids)
	e.releaseBounced(c)
}

// expired gives up what a copy still has deferred.
func (e *engine) expired(now time.Duration, r *Relay, c int32) {
	ids := e.waiting(c)
	for _, id := range ids {
		to := &e.rcpts[id]
		e.move(to, Bounced)
		to.told, to.expired = true, true
		e.settle(now, to)
		if e.mails[to.mail].note == nil {
			e.counts.Expired++
		}
	}
	e.report(now, r, c, "failed", notifyFailure, ids)
	e.releaseBounced(c)
}

func (e *engine) releaseBounced(c int32) {
	if m := e.copies[c].mail; e.mails[m].open == 0 {
		e.release(m)
	}
}

// report makes a notification about recipients of a copy and puts it into the relay's queue.
func (e *engine) report(now time.Duration, r *Relay, c int32, action string, what notify, ids []int32) {
	box := e.mails[e.copies[c].mail]
	var about []int32
	for _, id := range ids {
		if box.returnPath != "" && box.note == nil && e.rcpts[id].notify.wants(what) {
			about = append(about, id)
		} else if action == "failed" && box.note == nil {
			e.rcpts[id].silent = true
			e.counts.Discarded++
		}
	}
	if len(about) == 0 {
		return
	}
	e.serial += 7
	note := &noteRec{action: action, messageID: box.messageID, mail: e.copies[c].mail}
	for _, id := range about {
		note.recipients = append(note.recipients, e.rcpts[id].address)
	}
	m := int32(len(e.mails))
	first := int32(len(e.rcpts))
	e.mails = append(e.mails, mailRec{relay: r.index, first: first, n: 1, note: note, accepted: now})
	e.rcpts = append(e.rcpts, rcptRec{address: box.returnPath, mail: m, dest: noteDest})
	e.counts.Notifications++
	content := e.writeDSN(now, r, c, action, about, queueID(e.serial+3))
	e.mails[m].content, e.mails[m].size = content, int32(len(content))
	e.mails[m].copy, _ = e.enqueue(now, r, m, -1, nil)
}

// explain gives a reply of the engine's own making.
func (e *engine) explain(class relaymodel.Class, status, format string, args ...any) relaymodel.Verdict {
	return relaymodel.Verdict{Class: class, Reason: e.reason(reason{status: status, reply: fmt.Sprintf(format, args...)})}
}
