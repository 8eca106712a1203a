package mxtest

import (
	"bytes"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// An envelope is a transaction that a relay's session has completed.
type envelope struct {
	returnPath, envelopeID            string
	client, clientAddr, user          string
	tls, esmtp, headers, bareLF, utf8 bool
	recipients                        []envelopeRcpt
	content                           []byte
}

type envelopeRcpt struct {
	address, original string
	notify            notify
}

// accept takes a mail from a client into the relay's queue. The client hears of it after wait.
func (e *engine) accept(r *Relay, env *envelope) (id string, wait time.Duration, err error) {
	messageID := messageIDOf(env.content)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return "", 0, ErrClosed
	}
	now := e.now()
	m := int32(len(e.mails))
	e.mails = append(e.mails, mailRec{
		relay: r.index, first: int32(len(e.rcpts)), n: int32(len(env.recipients)), size: int32(len(env.content)),
		returnPath: env.returnPath, messageID: messageID, envelopeID: env.envelopeID, client: env.client, clientAddr: env.clientAddr,
		user: env.user, headers: env.headers, tls: env.tls, esmtp: env.esmtp, bareLF: env.bareLF, utf8: env.utf8, accepted: now, content: env.content,
	})
	for _, to := range env.recipients {
		_, domain, _ := cutLast(to.address, '@')
		e.rcpts = append(e.rcpts, rcptRec{address: to.address, original: to.original, mail: m, notify: to.notify,
			dest: e.dest(strings.ToLower(strings.TrimSuffix(domain, ".")))})
		if e.seen.again(messageID, to.address) {
			e.counts.Duplicates++
		}
	}
	e.counts.Mails++
	e.counts.Accepted += len(env.recipients)
	e.counts.ByRelay[r.name]++
	c, wait := e.enqueue(now, r, m, -1, nil)
	e.mails[m].copy = c
	e.pump(now)
	return queueID(e.copies[c].number), wait, nil
}

// enqueue puts a mail, or those of its recipients that are given, into a relay's queue. e.mu is held.
func (e *engine) enqueue(now time.Duration, r *Relay, m, parent int32, rcpts []int32) (int32, time.Duration) {
	box := &e.mails[m]
	if rcpts == nil {
		rcpts = make([]int32, box.n)
		for i := range rcpts {
			rcpts[i] = box.first + int32(i)
		}
		box.open = box.n
	}
	c := int32(len(e.copies))
	e.serial += 3
	e.copies = append(e.copies, copyRec{mail: m, relay: r.index, parent: parent, number: e.serial, arrival: now, rcpts: rcpts})
	list := make([]relaymodel.Recipient, len(rcpts))
	for i, id := range rcpts {
		to := &e.rcpts[id]
		e.tallyPlace(to, -1)
		to.copy, to.place = c, Queued
		e.tallyPlace(to, +1)
		list[i] = relaymodel.Recipient{Dest: to.dest, Ref: id}
	}
	wait := r.queue.Submit(now, c, box.note != nil, list)
	return c, wait
}

// messageIDOf finds the Message-ID field in a mail's header.
func messageIDOf(content []byte) string {
	id := fieldOf(content, "message-id:")
	if i := strings.IndexAny(id, " \t"); i >= 0 { // a comment behind it
		id = id[:i]
	}
	return id
}

// fieldOf finds the first field with a name ("subject:", in lower case) in a mail's header, and unfolds it.
func fieldOf(content []byte, name string) string {
	for len(content) > 0 {
		line, rest, _ := bytes.Cut(content, []byte("\n"))
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return ""
		}
		content = rest
		if len(line) < len(name) || line[0]|0x20 != name[0] || !strings.EqualFold(string(line[:len(name)]), name) {
			continue
		}
		value := string(bytes.TrimSpace(line[len(name):]))
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			line, rest, _ = bytes.Cut(rest, []byte("\n"))
			value = strings.TrimSpace(value + " " + string(bytes.TrimSpace(line)))
		}
		return value
	}
	return ""
}

// cutLast cuts s around the last sep.
func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
