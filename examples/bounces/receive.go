package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// receive runs the receiver until ctx ends.
func receive(ctx context.Context, o options, out io.Writer) error {
	secret, err := secretOf(o.key)
	if err != nil {
		return err
	}
	codec, err := verp.New(verp.Config{Prefix: o.prefix, Domain: o.domain, Keys: []verp.Key{{ID: 1, Secret: secret}}})
	if err != nil {
		return err
	}
	p := &printer{out: out}
	r := &bounce.Receiver{Codec: codec, Feedback: o.feedback, OwnRelays: o.relays, Handle: p.handle}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	if o.policy != "" {
		pl, err := net.Listen("tcp", o.policy)
		if err != nil {
			l.Close()
			return err
		}
		wg.Go(func() { _ = r.ServePolicy(pl) })
	}
	stop := context.AfterFunc(ctx, func() { _ = r.Close() })
	defer stop()
	example, err := codec.Encode(verp.FromUint64(1))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %s; a return path: %s\n", l.Addr(), example)
	if o.smtp {
		return r.Serve(l)
	}
	return r.ServeLMTP(l)
}

// secretOf reads the key file, or makes a secret for this run.
func secretOf(file string) ([]byte, error) {
	if file == "" {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		return secret, nil
	}
	data, err := os.ReadFile(file)
	return bytes.TrimSpace(data), err
}

// printer prints events. An application would store them, and count one only
// if its Key is new.
type printer struct {
	mu  sync.Mutex // guards out
	out io.Writer
}

type eventLine struct {
	Key        string      `json:"key"`
	Verdict    string      `json:"verdict"`
	ID         string      `json:"id,omitempty"` // hexadecimal
	Suppress   bool        `json:"suppress"`     // reason to send no more mail to this ID
	Kind       string      `json:"kind,omitempty"`
	Recipients []recipient `json:"recipients,omitempty"`
}

func (p *printer) handle(_ context.Context, e bounce.Event) error {
	l := eventLine{Key: e.Key, Verdict: e.Verdict.String(), ID: fmt.Sprintf("%x", e.Token.ID), Suppress: e.Suppresses()}
	if e.Report != nil {
		l.Kind = kindName(e.Report.Kind)
		for _, r := range e.Report.Recipients {
			l.Recipients = append(l.Recipients, recipientLine(r))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.NewEncoder(p.out).Encode(l)
}
