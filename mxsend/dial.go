package mxsend

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// connect opens a connection to one of the relay's addresses. They are tried in
// their order: the next one as soon as the one before failed, or beside it where
// that is silent for slowDial (as RFC 8305 has it for two families), so that an
// address that swallows packets does not hold up the others.
func (c *conn) connect(ctx context.Context) *Error {
	c.client.mu.Lock()
	addresses, port := c.relay.addresses, c.relay.port
	c.client.mu.Unlock()
	dialling, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan dialled, len(addresses))
	next := time.NewTimer(0)
	defer next.Stop()
	var cause error
	for started, ended := 0, 0; ended < len(addresses); {
		select {
		case <-next.C:
			if started == len(addresses) {
				continue
			}
			a := netip.AddrPortFrom(addresses[started], uint16(port))
			started++
			next.Reset(slowDial)
			go func() { results <- c.client.dial(dialling, a) }()
		case d := <-results:
			ended++
			if d.err != nil {
				c.address, cause = d.address, joinCauses(cause, d.err)
				if ctx.Err() == nil {
					next.Reset(0)
				} else if ended == started {
					return &Error{Stage: StageConnect, Err: cause}
				}
				continue
			}
			cancel()
			c.raw, c.nc, c.address, c.born = d.nc, d.nc, d.address, time.Now()
			for ; ended < started; ended++ {
				if late := <-results; late.nc != nil {
					_ = late.nc.Close()
				}
			}
			return nil
		}
	}
	return &Error{Stage: StageConnect, Err: cause}
}

// dialled is what became of one address.
type dialled struct {
	nc      net.Conn
	address string
	err     error
}

// dial connects to one address within Limits.Connect.
func (c *Client) dial(ctx context.Context, a netip.AddrPort) (d dialled) {
	defer recovered("Config.Dial", &d.err)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Limits.Connect)
	defer cancel()
	d.address = net.JoinHostPort(a.Addr().String(), strconv.Itoa(int(a.Port())))
	nc, err := c.cfg.Dial(ctx, "tcp", d.address)
	switch {
	case err != nil:
		d.err = err
	case nc == nil:
		d.err = errors.New("Config.Dial returned neither a connection nor an error")
	default:
		d.nc = guarded{nc}
	}
	return d
}
