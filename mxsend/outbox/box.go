package outbox

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
)

// A Box is the outbox of one process: it stores what is to be mailed, sends it through its Client, and answers what became
// of it. It is safe for concurrent use.
type Box struct {
	cfg    Config
	store  *store
	insert *inserter
	writer *writer
	secret []byte

	ctx                     context.Context // ends when nothing can be written any more
	stopLiving, stopWriting context.CancelFunc
	living, writing         sync.WaitGroup
	stopping                sync.WaitGroup // River clients of lives that are over
	closeOnce               sync.Once

	mu   sync.Mutex
	life *life // guarded by mu; nil while there is none
}

// New opens the database, brings its schema up to date and begins to work: with a Client it sends what is to be sent. It fails
// if the Config is wrong (all that is wrong with it is in the error), if the database does not answer, or if it is of a newer
// version (ErrNewerSchema). Close ends the Box.
func New(ctx context.Context, cfg Config) (*Box, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Box{cfg: cfg.withDefaults()}
	var err error
	if b.store, err = openStore(ctx, b.cfg.Database, b.cfg.Lease); err != nil {
		return nil, err
	}
	if err = b.store.migrate(ctx); err == nil {
		b.insert, err = newInserter(b.store, b.riverLog())
	}
	if b.secret = b.cfg.Key; err == nil && b.secret == nil {
		b.secret, err = b.store.key(ctx)
	}
	if err == nil {
		b.life, err = b.begin(ctx)
	}
	if err != nil {
		b.store.close()
		return nil, err
	}
	b.writer = newWriter(b)
	life := b.life
	background := context.WithoutCancel(ctx)
	var writing, living context.Context
	writing, b.stopWriting = context.WithCancel(background)
	b.ctx = writing
	living, b.stopLiving = context.WithCancel(background)
	b.writing.Go(func() { b.writer.run(writing) })
	b.living.Go(func() { b.live(living, life) })
	return b, nil
}

// DB is the pool of connections that the Box writes through. On SQLite, begin the application's transactions on it: there is one
// writer at a time, and who waits for it here gets its turn. Keep them short, since sending waits meanwhile. On Postgres any other
// pool will do as well. It is closed with the Box.
func (b *Box) DB() *sql.DB { return b.store.write }

// Close ends sending: no new mail is handed over, what is under way has Config.StopGrace to end, and is then cut off. Everything
// that is not finished is where the next process, or this one when it starts again, goes on. It may be called more than once.
func (b *Box) Close() error {
	b.closeOnce.Do(func() {
		b.stopLiving()
		b.living.Wait()
		b.stopWriting()
		b.stopping.Wait()
		b.writing.Wait()
		b.store.close()
	})
	return nil
}

func (b *Box) log() *slog.Logger { return b.cfg.Logger }

// riverLog has River's warnings and errors in the Box's log.
func (b *Box) riverLog() *slog.Logger {
	return slog.New(atLeastWarn{b.cfg.Logger.Handler()})
}

// atLeastWarn passes on what is a warning or worse.
type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// ErrUnknown: there is no mailing of this name, or no mail with this id.
var ErrUnknown = errors.New("outbox: unknown")
