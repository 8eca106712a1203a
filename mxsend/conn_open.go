package mxsend

import (
	"context"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// open connects, and leaves the connection ready for its first transaction:
// greeting, EHLO, TLS, EHLO anew, AUTH. On an error nothing is left open, nor is
// when ctx ends meanwhile.
func (c *conn) open(ctx context.Context) (failure *Error) {
	defer func() {
		if failure != nil {
			failure.Outcome, failure.Relay = Deferred, c.relay.name
			if c.raw != nil {
				c.takeRefusal(failure.Reply)
				_ = c.raw.Close()
			}
		}
	}()
	c.reach(StageConnect)
	if failure := c.connect(ctx); failure != nil {
		return failure
	}
	c.reach(StageTLS)
	// Who gives up does not wait for the relay.
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	defer stop()
	cfg := &c.client.cfg
	if cfg.TLS == TLSImplicit {
		if failure := c.handshake(ctx); failure != nil {
			return failure
		}
	}
	c.replies = smtpwire.NewReplyReader(c.nc)
	if failure := c.greet(); failure != nil {
		return failure
	}
	if failure := c.hello(); failure != nil {
		return failure
	}
	if cfg.TLS == TLSRequired || cfg.TLS == TLSOpportunistic {
		if failure := c.startTLS(ctx); failure != nil {
			return failure
		}
	}
	if failure := c.authenticate(); failure != nil {
		return failure
	}
	_ = c.raw.SetDeadline(time.Time{})
	return nil
}
