package bounce

import (
	"bufio"
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// serveAll runs LMTP and policy servers; done gets the result of each.
func serveAll(t *testing.T, r *Receiver) (lmtp, policy string, done chan error) {
	t.Helper()
	done = make(chan error, 2)
	listen := func(serve func(net.Listener) error) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- serve(l) }()
		return l.Addr().String()
	}
	return listen(r.ServeLMTP), listen(r.ServePolicy), done
}

// greeted connects and reads the greeting.
func greeted(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClose(t *testing.T) {
	stops := map[string]func(*Receiver) error{
		"Close": (*Receiver).Close,
		"Shutdown whose time is over": func(r *Receiver) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) {
				return errors.New("Shutdown did not return the context's error")
			}
			return nil
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			r := &Receiver{Codec: testCodec(t), Handle: func(context.Context, Event) error { return nil }}
			lmtp, policy, done := serveAll(t, r)
			open := greeted(t, lmtp)
			idle, err := net.Dial("tcp", policy)
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			if err := stop(r); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Errorf("Serve: %v", err)
				}
			}
			if _, err := open.Read(make([]byte, 1)); err == nil {
				t.Error("the connection is still open")
			}
			if err := r.Close(); err != nil {
				t.Errorf("Close again: %v", err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Serve(l); err != nil {
				t.Errorf("Serve after Close: %v", err)
			}
		})
	}
}

// TestShutdownWaits: a message whose Handle is running is still answered.
func TestShutdownWaits(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	running, finish := make(chan struct{}), make(chan struct{})
	r := &Receiver{Codec: codec, Handle: func(ctx context.Context, _ Event) error {
		close(running)
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	c := start(t, r, true)
	answered := make(chan error, 1)
	go func() {
		answered <- submit(c, returnPath, []byte(testNotice))
		_ = c.Quit()
	}()
	<-running
	down := make(chan error, 1)
	go func() { down <- r.Shutdown(context.Background()) }()
	close(finish)
	if err := <-answered; err != nil {
		t.Errorf("the message is not accepted: %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestConnectionLimit: one connection more than allowed gets no greeting until
// another ends.
func TestConnectionLimit(t *testing.T) {
	r := &Receiver{Codec: testCodec(t), Connections: 2, Handle: func(context.Context, Event) error { return nil }}
	lmtp, _, _ := serveAll(t, r)
	t.Cleanup(func() { r.Close() })
	first := greeted(t, lmtp)
	greeted(t, lmtp)
	third, err := net.Dial("tcp", lmtp)
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	_ = third.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	in := bufio.NewReader(third)
	if l, err := in.ReadString('\n'); err == nil {
		t.Fatalf("third connection is greeted: %q", l)
	}
	first.Close()
	_ = third.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := in.ReadString('\n'); err != nil {
		t.Errorf("no greeting once a connection has ended: %v", err)
	}
}

// TestSessionTimeout: a connection does not outlive its time, busy or not.
func TestSessionTimeout(t *testing.T) {
	r := &Receiver{Codec: testCodec(t), SessionTimeout: 50 * time.Millisecond, Handle: func(context.Context, Event) error { return nil }}
	lmtp, _, _ := serveAll(t, r)
	t.Cleanup(func() { r.Close() })
	c := greeted(t, lmtp)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}
