package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// Every call into River is in this file. River claims jobs, keeps schedules, runs periodic work and elects leaders; jobs
// hold nothing but numbers, and what they mean is decided by the outbox's own tables. A job that River gives out twice,
// late, or never can therefore do no harm: the sweep puts back what is missing.

// A mailJob is a transactional mail to be sent.
type mailJob struct {
	Mail int64 `json:"mail"`
}

// A ticketJob is leave to work on some slice of a mailing. Mailings that run beside each other have their tickets in one
// queue, so each gets its turn.
type ticketJob struct {
	Mailing int64 `json:"mailing"`
}

// A sweepJob looks for what is due, over, left behind or missing.
type sweepJob struct{}

// A purgeJob removes personal data whose time is over.
type purgeJob struct{}

func (mailJob) Kind() string   { return "outbox_mail" }
func (ticketJob) Kind() string { return "outbox_mailing" }
func (sweepJob) Kind() string  { return "outbox_sweep" }
func (purgeJob) Kind() string  { return "outbox_purge" }

const upkeepQueue = "outbox_upkeep"

func (mailJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: "outbox_mail", MaxAttempts: 1}
}
func (ticketJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: "outbox_mailing", MaxAttempts: 1}
}
func (sweepJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: upkeepQueue, MaxAttempts: 1}
}
func (purgeJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: upkeepQueue, MaxAttempts: 1}
}

// Handlers do the work of jobs. They return when it is done or the context ends; what went wrong they have dealt with.
type handlers struct {
	mail   func(ctx context.Context, id int64) (begun bool)
	ticket func(ctx context.Context, mailing int64)
	sweep  func(ctx context.Context)
	purge  func(ctx context.Context)
}

// An engine is a River client that works under the name of one process.
type engine struct {
	client *river.Client[*sql.Tx]
}

type engineConfig struct {
	process  string
	workers  int // transactional mails at a time
	feeders  int // slices being fed at a time
	pollOnly bool
	logger   *slog.Logger
	handlers handlers
}

func newEngine(s *store, cfg engineConfig) (*engine, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[mailJob]) error {
		if !cfg.handlers.mail(ctx, job.Args.Mail) {
			return river.JobSnooze(0) // for another process
		}
		return nil
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[ticketJob]) error {
		cfg.handlers.ticket(ctx, job.Args.Mailing)
		return nil
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[sweepJob]) error {
		cfg.handlers.sweep(ctx)
		return nil
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[purgeJob]) error {
		cfg.handlers.purge(ctx)
		return nil
	}))
	client, err := river.NewClient(riverDriver(s), &river.Config{
		ID: cfg.process,
		Queues: map[string]river.QueueConfig{
			// Jobs per second are at most workers by cooldown.
			mailJob{}.InsertOpts().Queue:   {MaxWorkers: cfg.workers, FetchCooldown: time.Millisecond},
			ticketJob{}.InsertOpts().Queue: {MaxWorkers: cfg.feeders, FetchCooldown: 5 * time.Millisecond},
			upkeepQueue:                    {MaxWorkers: 2},
		},
		FetchPollInterval:           100 * time.Millisecond,
		PollOnly:                    cfg.pollOnly,
		Workers:                     workers,
		PeriodicJobs:                periodicJobs(),
		JobTimeout:                  -1,
		RescueStuckJobsAfter:        24 * time.Hour, // long after the sweep has seen to it
		CompletedJobRetentionPeriod: time.Minute,    // a table of millions of finished jobs slows all else down
		DiscardedJobRetentionPeriod: time.Minute,
		Logger:                      cfg.logger,
	})
	if err != nil {
		return nil, err
	}
	return &engine{client}, nil
}

func periodicJobs() []*river.PeriodicJob {
	job := func(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
		return river.NewPeriodicJob(river.PeriodicInterval(interval), func() (river.JobArgs, *river.InsertOpts) { return args, nil },
			&river.PeriodicJobOpts{RunOnStart: true})
	}
	return []*river.PeriodicJob{job(2*time.Second, sweepJob{}), job(10*time.Minute, purgeJob{})}
}

// riverDriver speaks database/sql on both systems, so that one code serves them; on Postgres it listens through pgx.
func riverDriver(s *store) riverdriver.Driver[*sql.Tx] {
	if s.postgres() {
		return riverdatabasesql.NewWithPgxListener(s.write, s.pool)
	}
	return riversqlite.New(s.write)
}

func (e *engine) start(ctx context.Context) error { return e.client.Start(ctx) }

// stop waits for jobs that run until ctx ends, and then for them to obey their cancelled contexts.
func (e *engine) stop(ctx context.Context) {
	if e.client.Stop(ctx) == nil {
		return
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = e.client.StopAndCancel(hard)
}

// An inserter adds jobs, in transactions of whatever kind the application uses.
type inserter struct {
	sql *river.Client[*sql.Tx]
	pgx *river.Client[pgx.Tx] // nil on SQLite
}

func newInserter(s *store, logger *slog.Logger) (*inserter, error) {
	client, err := river.NewClient(riverDriver(s), &river.Config{Logger: logger})
	if err != nil || !s.postgres() {
		return &inserter{sql: client}, err
	}
	other, err := river.NewClient(riverpgxv5.New(s.pool), &river.Config{Logger: logger})
	return &inserter{client, other}, err
}

// mails adds the jobs of mails; a zero due is at once. The transaction is a *sql.Tx or pgx.Tx.
func (i *inserter) mails(ctx context.Context, transaction any, due time.Time, ids ...int64) error {
	params := make([]river.InsertManyParams, len(ids))
	for k, id := range ids {
		params[k].Args = mailJob{id}
		if !due.IsZero() {
			params[k].InsertOpts = &river.InsertOpts{ScheduledAt: due}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var err error
	switch t := transaction.(type) {
	case *sql.Tx:
		_, err = i.sql.InsertManyFastTx(ctx, t, params)
	case pgx.Tx:
		_, err = i.pgx.InsertManyFastTx(ctx, t, params)
	}
	return err
}

func (i *inserter) tickets(ctx context.Context, t *tx, mailing int64, n int) error {
	params := make([]river.InsertManyParams, n)
	for k := range params {
		params[k].Args = ticketJob{mailing}
	}
	if n == 0 {
		return nil
	}
	_, err := i.sql.InsertManyFastTx(ctx, t.Tx, params)
	return err
}

func (i *inserter) sweep(ctx context.Context) error {
	_, err := i.sql.Insert(ctx, sweepJob{}, nil)
	return err
}

// ticketsWaiting counts each mailing's tickets that nobody has taken yet, up to a thousand in all.
func (i *inserter) ticketsWaiting(ctx context.Context) (map[int64]int, error) {
	rows, err := i.waiting(ctx, ticketJob{}.Kind())
	if err != nil {
		return nil, err
	}
	waiting := map[int64]int{}
	for _, row := range rows {
		var job ticketJob
		if json.Unmarshal(row.EncodedArgs, &job) == nil {
			waiting[job.Mailing]++
		}
	}
	return waiting, nil
}

// mailsWaiting counts jobs of mails that nobody has taken yet, up to a thousand.
func (i *inserter) mailsWaiting(ctx context.Context) (int, error) {
	rows, err := i.waiting(ctx, mailJob{}.Kind())
	return len(rows), err
}

func (i *inserter) waiting(ctx context.Context, kind string) ([]*rivertype.JobRow, error) {
	list, err := i.sql.JobList(ctx, river.NewJobListParams().Kinds(kind).States(rivertype.JobStateAvailable).First(1000))
	if err != nil {
		return nil, err
	}
	return list.Jobs, nil
}

// migrateRiver brings River's schema to the version of this program's River, in a transaction if there is one.
func migrateRiver(ctx context.Context, s *store, t *tx) error {
	migrator, err := rivermigrate.New(riverDriver(s), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if t == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	} else {
		//lint:ignore SA1019 it is Postgres' migrations that cannot share a transaction; on SQLite it keeps processes from each other
		_, err = migrator.MigrateTx(ctx, t.Tx, rivermigrate.DirectionUp, nil)
	}
	return err
}
