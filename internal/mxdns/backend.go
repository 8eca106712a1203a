package mxdns

import (
	"context"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// backend finds the answer to a question, without a cache.
type backend struct {
	asker   asker
	servers *servers
	system  systemResolver
}

// resolve asks name servers, or where none are known the system, and follows aliases across answers.
func (b *backend) resolve(ctx context.Context, q question) (answer, error) {
	r := b.servers.current()
	if len(r.servers) == 0 {
		return b.system.resolve(ctx, q)
	}
	if r.timeout == 0 {
		r.timeout = defaultTimeout
	}
	if r.attempts == 0 {
		r.attempts = defaultAttempts
	}
	var aliases []string
	ttl := maxTTL
	asked := q
	for {
		a, next, err := b.ask(ctx, r, asked)
		if err != nil {
			return answer{}, err
		}
		ttl = min(ttl, a.ttl)
		whole := answer{aliases: aliases}
		for _, target := range a.aliases {
			if err := whole.follow(q.name, target); err != nil {
				return answer{}, err
			}
		}
		aliases = whole.aliases
		if next == "" {
			a.aliases, a.ttl = aliases, ttl
			return a, nil
		}
		asked.name = next
	}
}

// ask asks one server after the other, in rounds, until one gives an answer.
func (b *backend) ask(ctx context.Context, r roster, q question) (answer, string, error) {
	var failure error // of the first round, all servers'
	for round := range r.attempts {
		for _, server := range r.servers {
			m, err := b.asker.exchange(ctx, server, r.timeout, q)
			if err == nil {
				var a answer
				var next string
				if a, next, err = readAnswer(m, q); err == nil {
					b.servers.answered(server)
					return a, next, nil
				}
				err = fmt.Errorf("server %s: %w", server, err)
			}
			if ctx.Err() != nil {
				return answer{}, "", ctx.Err()
			}
			switch {
			case failure == nil:
				failure = err
			case round == 0:
				failure = fmt.Errorf("%w; %w", failure, err)
			}
		}
	}
	return answer{}, "", failure
}

// records returns the records of an answer that are of type T.
func records[T dns.RR](a answer) []T {
	list := make([]T, 0, len(a.records))
	for _, rr := range a.records {
		if r, ok := rr.(T); ok {
			list = append(list, r)
		}
	}
	return list
}

// longest bounds the time any question can take.
const longest = 60 * time.Second
