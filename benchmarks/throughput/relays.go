package main

import (
	"errors"
	"io"

	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// serveRelays is a primary of mxtest as a process of its own, for as long as its
// input lasts.
func serveRelays(in io.Reader, out io.Writer) (err error) {
	c, err := mxtest.Start(mxtest.Config{
		Primaries: 1, Graveyards: mxtest.NoGraveyards, KeepContent: -1,
		// go-mail sends NOOP and RSET with every mail.
		Relay: func(string) mxtest.RelayConfig { return mxtest.RelayConfig{SMTPDJunkCommandLimit: 1 << 30} },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return sink.Answer(in, out, c.Primary(0).ListenAddr(), func() sink.Totals {
		return sink.Totals{Accepted: int64(c.Ledger().Counts().Mails)}
	})
}
