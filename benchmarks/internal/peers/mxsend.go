package peers

import (
	"context"
	"errors"
	"iter"

	"github.com/mxsend/go-mxsend/mxsend"
)

// runMxsend is this library as an application uses it for a mailing: relays found
// by MX, SendAll over all of them.
func runMxsend(ctx context.Context, job Job, m *mailing) (accepted int, err error) {
	_, port, err := splitAddress(job.Address)
	if err != nil {
		return 0, err
	}
	c, err := mxsend.New(mxsend.Config{
		Domain:    Domain,
		Port:      port,
		LocalName: LocalName,
		TLS:       mxsend.TLSDisabled,
		Resolver:  mxsend.NewResolver(job.DNS),
		Signer:    m.signer,
		Limits:    mxsend.Limits{Connections: max(1, job.Connections/Relays(job.Connections)), Reserved: -1},
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	spent := make(chan *mxsend.Message, 4096) // messages whose outcome is known, to be used again
	var failed error
	for r := range c.SendAll(ctx, messages(m, spent)) {
		if r.Err != nil {
			failed = r.Err
			continue
		}
		accepted++
		spent <- r.Message
	}
	return accepted, failed
}

// Relays is how many relays the MX records name for a job: two, which share the
// connections, but for a single connection.
func Relays(connections int) int { return min(2, connections) }

// messages yields the mailing in as few Message structs as are in flight at
// once: what is measured is what the library allocates, not the benchmark.
func messages(m *mailing, spent <-chan *mxsend.Message) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		to := []string{recipient}
		for {
			returnPath, ok := m.take()
			if !ok {
				return
			}
			var message *mxsend.Message
			select {
			case message = <-spent:
			default:
				message = &mxsend.Message{Recipients: to, Content: m.content}
			}
			message.ReturnPath = returnPath
			if !yield(message) {
				return
			}
		}
	}
}
