package mxsend

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

// telling is an Observer of which every func notes its name and what it was told.
func telling(name string, note func(string)) *Observer {
	return &Observer{
		LookedUp:     func(d string, r Relays, err error) { note(fmt.Sprint(name, " LookedUp ", d, len(r.Hosts), err)) },
		Connected:    func(r, a string, d time.Duration, err error) { note(fmt.Sprint(name, " Connected ", r, a, d, err)) },
		Disconnected: func(r, a string, err error) { note(fmt.Sprint(name, " Disconnected ", r, a, err)) },
		Ejected:      func(r string, t time.Time, err error) { note(fmt.Sprint(name, " Ejected ", r, t.Unix(), err)) },
		Restored:     func(r string) { note(fmt.Sprint(name, " Restored ", r)) },
		Held:         func(l Lane, err error) { note(fmt.Sprint(name, " Held ", l, err)) },
		Resumed:      func(l Lane) { note(fmt.Sprint(name, " Resumed ", l)) },
		Attempted: func(ctx context.Context, ref string, l Lane, a Attempt) {
			note(fmt.Sprint(name, " Attempted ", ctx.Value(ctxKey{}), ref, l, a.Relay))
		},
		Finished: func(ctx context.Context, r Receipt, l Lane) {
			note(fmt.Sprint(name, " Finished ", ctx.Value(ctxKey{}), r.Ref, l, r.Recipients[0].Address))
			r.Recipients[0].Address = "changed by " + name
		},
	}
}

type ctxKey struct{}

// tellAll calls every func of an Observer, and goes on where one panics. It returns
// what they panicked with.
func tellAll(o *Observer) (panics []string) {
	ctx := context.WithValue(context.Background(), ctxKey{}, "ctx")
	failed := errors.New("failed")
	for _, f := range []func(){
		func() { o.LookedUp("d", Relays{Hosts: make([]Host, 2)}, failed) },
		func() { o.Connected("p1", "addr", time.Second, failed) },
		func() { o.Disconnected("p1", "addr", failed) },
		func() { o.Ejected("p1", time.Unix(7, 0), failed) },
		func() { o.Restored("p1") },
		func() { o.Held(Bulk, failed) },
		func() { o.Resumed(Bulk) },
		func() { o.Attempted(ctx, "ref", Bulk, Attempt{Relay: "p1"}) },
		func() { o.Finished(ctx, Receipt{Ref: "ref", Recipients: []RecipientResult{{Address: "jane"}}}, Bulk) },
	} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					panics = append(panics, fmt.Sprint(p))
				}
			}()
			f()
		}()
	}
	return panics
}

// Every func of every observer is called, in order, with what a lone one is told.
func TestObservers(t *testing.T) {
	told := func(make func(note func(string)) *Observer) (notes []string) {
		if panics := tellAll(make(func(s string) { notes = append(notes, s) })); panics != nil {
			t.Errorf("panicked: %q", panics)
		}
		return notes
	}
	one := told(func(note func(string)) *Observer { return telling("x", note) })
	if got := told(func(note func(string)) *Observer { return Observers(nil, telling("x", note)) }); !slices.Equal(got, one) {
		t.Errorf("alone: got %q, want %q", got, one)
	}
	var want []string
	for _, s := range one {
		for _, name := range []string{"a", "b", "c"} {
			want = append(want, name+s[1:])
		}
	}
	got := told(func(note func(string)) *Observer {
		return Observers(telling("a", note), nil, &Observer{}, telling("b", note), telling("c", note))
	})
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := reflect.TypeFor[Observer]().NumField(); len(one) != n {
		t.Errorf("this test calls %d of an Observer's %d funcs", len(one), n)
	}
}

// What nobody wants to know is not asked of anybody.
func TestObserversOfNothing(t *testing.T) {
	for _, o := range []*Observer{Observers(), Observers(nil), Observers(&Observer{}, &Observer{})} {
		if !reflect.ValueOf(*o).IsZero() {
			t.Errorf("%+v", o)
		}
	}
}

// A func that panics keeps no other observer from being told, and the panic is not lost.
func TestObserversThatPanic(t *testing.T) {
	var notes []string
	note := func(s string) { notes = append(notes, s) }
	bad := telling("bad", func(string) { panic("bad") })
	if got := tellAll(Observers(bad, telling("x", note))); len(got) != 9 || slices.ContainsFunc(got, func(s string) bool { return s != "bad" }) {
		t.Errorf("panicked: %q", got)
	}
	var want []string
	tellAll(telling("x", func(s string) { want = append(want, s) }))
	if !slices.Equal(notes, want) {
		t.Errorf("got %q, want %q", notes, want)
	}
}

// What an Observer is told of a message comes with the context of the call that
// submitted it, however it ended, and of SendAll's with the caller's own.
func TestObserverGetsTheContext(t *testing.T) {
	var mu sync.Mutex
	var got []string
	note := func(what ...any) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(what...))
	}
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.Observer = &Observer{
			Attempted: func(ctx context.Context, ref string, _ Lane, _ Attempt) {
				note("attempted ", ref, " ", ctx.Value(ctxKey{}))
			},
			Finished: func(ctx context.Context, r Receipt, _ Lane) {
				note("finished ", r.Ref, " ", ctx.Value(ctxKey{}), " ", ctx.Err())
			},
		}
	}, func(s *testSetup) {
		with := func(v string) context.Context { return context.WithValue(s.ctx(), ctxKey{}, v) }
		_, err := s.sendWithin(with("send"), testMessage(1))
		if err != nil {
			t.Error(err)
		}
		s.sendAll(with("all"), from(2, 2))
		ended, cancel := context.WithCancel(with("ended"))
		cancel()
		_, err = s.sendWithin(ended, testMessage(4))
		s.wantErr(err, context.Canceled)
		empty := testMessage(5)
		empty.Content = nil
		_, err = s.sendWithin(with("invalid"), empty)
		s.wantErr(err, ErrInvalidMessage)
		time.Sleep(time.Minute) // and SendAll's context is not one that ends with its loop
	})
	want := []string{
		"attempted 1 send", "attempted 2 all", "attempted 3 all",
		"finished 1 send <nil>", "finished 2 all <nil>", "finished 3 all <nil>", "finished 4 ended context canceled", "finished 5 invalid <nil>",
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
