package cookbook

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A list is who is to get a mailing, and who has: a table of a database.
type list interface {
	// Open gives the messages that have no outcome yet.
	Open(ctx context.Context) iter.Seq[*mxsend.Message]
	// Note stores an outcome, for good.
	Note(result mxsend.Result)
}

// mailing sends what is open, until all is sent or the process is told to end. It may be run again.
func mailing(client *mxsend.Client, recipients list) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the signal nothing more is pulled; what is on a connection gets up to ten seconds to end in order.
	cut, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(10*time.Second, cancel) })()
	for result := range client.SendAll(cut, until(ctx, recipients.Open(cut))) {
		recipients.Note(result)
	}
	return context.Cause(ctx)
}

// until ends a sequence with ctx.
func until[T any](ctx context.Context, seq iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range seq {
			if ctx.Err() != nil || !yield(v) {
				return
			}
		}
	}
}

// table is a list in memory.
type table struct {
	mu      sync.Mutex // guards outcome
	outcome []mxsend.Outcome
	noted   func(n int)
}

func (l *table) Open(context.Context) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		for i := range l.outcome {
			l.mu.Lock()
			open := l.outcome[i] == 0
			l.mu.Unlock()
			if open && !yield(&mxsend.Message{
				ReturnPath: fmt.Sprintf("b+%d@bounce.example.com", i), Recipients: []string{fmt.Sprintf("r%d@example.net", i)}, Content: []byte(mail), Ref: fmt.Sprint(i),
			}) {
				return
			}
		}
	}
}

func (l *table) Note(result mxsend.Result) {
	var i int
	if _, err := fmt.Sscan(result.Receipt.Ref, &i); err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcome[i] = result.Receipt.Recipients[0].Outcome
	if l.noted != nil {
		l.noted(i)
	}
}

func TestShutdown(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	client := newClient(t, cluster, nil)
	const all = 3000
	recipients := &table{outcome: make([]mxsend.Outcome, all)}
	var once sync.Once
	recipients.noted = func(int) {
		once.Do(func() {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Signal(os.Interrupt)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := mailing(client, recipients); err == nil {
		t.Error("the mailing was not interrupted")
	}
	sent := cluster.Ledger().Counts().Accepted
	if sent == 0 || sent == all {
		t.Fatalf("%d of %d were sent before the end", sent, all)
	}
	if err := mailing(client, recipients); err != nil {
		t.Fatal(err)
	}
	if c := cluster.Ledger().Counts(); c.Accepted != all {
		t.Errorf("the relays have %d mails, want %d", c.Accepted, all)
	}
	for i, o := range recipients.outcome {
		if o != mxsend.Accepted {
			t.Errorf("%d is %v", i, o)
		}
	}
}
