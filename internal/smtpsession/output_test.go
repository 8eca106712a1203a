package smtpsession

import (
	"errors"
	"io"
	"net"
	"testing"
)

// A cancellation ends the Write that it means, and no other.
func TestInterrupt(t *testing.T) {
	t.Run("before the first octet", func(t *testing.T) {
		var w countingWriter
		client, relay := net.Pipe()
		defer client.Close()
		defer relay.Close()
		cancelled := false
		w.nc, w.patient = client, func() { cancelled = true } // after the owner was asked, before the Write
		w.revoked = func() bool { return cancelled }
		if n, err := w.Write([]byte("MAIL")); n != 0 || !errors.Is(err, errInterrupted) {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
	t.Run("between two writes", func(t *testing.T) {
		var w countingWriter
		client, relay := net.Pipe()
		defer client.Close()
		defer relay.Close()
		go func() { _, _ = io.Copy(io.Discard, relay) }()
		chunks := 0
		w.nc, w.patient, w.revoked = client, func() { chunks++ }, func() bool { return chunks == 3 }
		if n, err := w.Write(make([]byte, 5*WriteChunk)); n != 2*WriteChunk || !errors.Is(err, errInterrupted) || w.octets != 2*WriteChunk {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
	t.Run("an interruption is for one Write", func(t *testing.T) {
		w := countingWriter{}
		w.chunk.Store(7)
		w.interrupt(func() bool {
			w.chunk.Store(8) // the Write that was meant ended, and another began
			return true
		})
		if got := w.chunk.Load(); got != 8 {
			t.Errorf("chunk %d", got)
		}
	})
}
