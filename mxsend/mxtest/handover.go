package mxtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// handoverSessions bounds the sessions with Config.Bounces.
const handoverSessions = 8

// handoverIdle is how long a session with Config.Bounces is kept without work.
const handoverIdle = time.Second

// A handover hands notifications over to Config.Bounces.
type handover struct {
	c        *Cluster
	protocol string
	address  string
	jobs     chan *running
	start    sync.Once
	mu       sync.Mutex // guards queue
	queue    []*running
}

func newHandover(c *Cluster) *handover {
	h := &handover{c: c, jobs: make(chan *running)}
	h.protocol, h.address, _ = splitBounces(c.cfg.Bounces)
	return h
}

// deliver takes a job; it is called with engine.mu held, and does not wait.
func (h *handover) deliver(run *running) {
	h.mu.Lock()
	h.queue = append(h.queue, run)
	first := len(h.queue) == 1
	h.mu.Unlock()
	h.start.Do(func() {
		for range handoverSessions {
			h.c.wg.Go(h.work)
		}
	})
	if first {
		h.c.wg.Go(h.feed)
	}
}

// feed gives what is queued to the workers.
func (h *handover) feed() {
	for {
		h.mu.Lock()
		if len(h.queue) == 0 {
			h.mu.Unlock()
			return
		}
		run := h.queue[0]
		h.mu.Unlock()
		select {
		case h.jobs <- run:
		case <-h.c.done:
			return
		}
		h.mu.Lock()
		h.queue = h.queue[1:]
		h.mu.Unlock()
	}
}

// work delivers one notification after the other, over a session it keeps for a while.
func (h *handover) work() {
	var client *smtp.Client
	hangUp := func() {
		if client != nil {
			client.Close()
			client = nil
		}
	}
	defer hangUp()
	for {
		var idle <-chan time.Time
		if client != nil {
			idle = time.After(handoverIdle)
		}
		select {
		case <-h.c.done:
			return
		case <-idle:
			hangUp()
		case run := <-h.jobs:
			err := h.send(&client, run)
			var refused *smtp.SMTPError
			if err != nil && !errors.As(err, &refused) {
				hangUp()
			} else if err != nil && client != nil && client.Reset() != nil {
				hangUp()
			}
			h.finish(run, err)
		}
	}
}

// send delivers one notification.
func (h *handover) send(client **smtp.Client, run *running) error {
	e := h.c.engine
	e.mu.Lock()
	m := &e.mails[e.copies[run.copy].mail]
	to, content := e.rcpts[m.first].address, m.content
	e.mu.Unlock()
	if *client == nil {
		ctx, cancel := context.WithTimeout(h.c.ctx, run.relay.cfg.SMTPConnectTimeout)
		defer cancel()
		conn, err := h.dial(ctx)
		if err != nil {
			return err
		}
		context.AfterFunc(h.c.ctx, func() { conn.Close() })
		if h.protocol == "lmtp" {
			*client = smtp.NewClientLMTP(conn)
		} else {
			*client = smtp.NewClient(conn)
		}
		if err := (*client).Hello(run.relay.name); err != nil {
			return err
		}
	}
	if err := (*client).Mail("", nil); err != nil {
		return err
	}
	if err := (*client).Rcpt(to, nil); err != nil {
		return err
	}
	w, err := (*client).Data()
	if err != nil {
		return err
	}
	if _, err := bytes.NewReader(content).WriteTo(w); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

func (h *handover) dial(ctx context.Context) (net.Conn, error) {
	switch {
	case h.c.cfg.DialBounces != nil:
		return h.c.cfg.DialBounces(ctx, "tcp", h.address)
	case h.c.cfg.Memory:
		return h.c.net.dial(ctx, "", "tcp", h.address)
	case !onLoopback(h.address):
		return nil, errNotLoopback
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", h.address)
}

// finish tells the engine how it went.
func (h *handover) finish(run *running, err error) {
	e := h.c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.external--
	var refused *smtp.SMTPError
	run.feedback = relaymodel.Success
	switch {
	case err == nil:
		run.verdicts[0] = e.explain(relaymodel.Done, "2.0.0", "handed over")
	case errors.As(err, &refused) && refused.Code >= 500:
		run.verdicts[0] = e.explain(relaymodel.Bounced, "5.0.0", "%d to a notification", refused.Code)
	case errors.As(err, &refused):
		run.verdicts[0] = e.explain(relaymodel.Deferred, "4.0.0", "%d to a notification", refused.Code)
	default:
		run.feedback = relaymodel.Failure
		run.verdicts[0] = e.explain(relaymodel.Deferred, "4.4.1", "nobody takes notifications")
	}
	if e.closed {
		return
	}
	now := e.now()
	e.finish(now, run)
	e.pump(now)
}
