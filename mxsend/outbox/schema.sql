-- Version 1 of the outbox's tables, for SQLite and Postgres alike. {id} is the type of a key that the database gives and
-- never gives again, {packed} stores a table in the order of its primary key where the database can. All times are
-- milliseconds since 1970 (UTC), zero for none.

CREATE TABLE outbox_meta (
	name TEXT PRIMARY KEY,
	value BYTEA NOT NULL
);

-- Processes that are at work. A process lives until its time in "until"; whoever finds it dead buries it.
CREATE TABLE outbox_process (
	id TEXT PRIMARY KEY,
	host TEXT NOT NULL,
	sends BIGINT NOT NULL,
	started BIGINT NOT NULL,
	until BIGINT NOT NULL,
	seq BIGINT NOT NULL -- of its last transaction, to know whether a commit without an answer was one
);

CREATE TABLE outbox_mailing (
	id {id},
	name TEXT NOT NULL UNIQUE,
	list TEXT NOT NULL,
	spec TEXT NOT NULL, -- the Mailing as JSON
	state TEXT NOT NULL,
	why TEXT NOT NULL,
	loader TEXT NOT NULL, -- the process that loads it
	go_at BIGINT NOT NULL, -- when a waiting one goes on by itself
	canary_for BIGINT NOT NULL, -- how long it waits after the canary; zero: for a go
	not_after BIGINT NOT NULL,
	rate DOUBLE PRECISION NOT NULL,
	recipients BIGINT NOT NULL,
	open_slices BIGINT NOT NULL, -- slices below may be sent: the canary's, then all
	created BIGINT NOT NULL,
	finished BIGINT NOT NULL,
	base_sent BIGINT NOT NULL, -- what had been counted when it was last resumed
	base_bad BIGINT NOT NULL,
	purged BIGINT NOT NULL -- a bit for each outcome whose recipients were forgotten
);

-- A recipient's line is its place in the list as it was loaded; results and slices go by its place n in the order of
-- sending, of which the line is a permutation (shuffle.go).
CREATE TABLE outbox_recipient (
	mailing BIGINT NOT NULL,
	line BIGINT NOT NULL,
	address TEXT NOT NULL,
	data TEXT NOT NULL,
	PRIMARY KEY (mailing, line)
) {packed};

-- Finds a recipient by the first 8 octets of its address's keyed hash.
CREATE TABLE outbox_address (
	mailing BIGINT NOT NULL,
	hash BIGINT NOT NULL,
	line BIGINT NOT NULL,
	PRIMARY KEY (mailing, hash, line)
) {packed};

-- The token belongs to who works on the slice; every intent is written under it. Of the recipients of the round, those
-- below "opened" may have been handed over; those from it on have not.
CREATE TABLE outbox_slice (
	mailing BIGINT NOT NULL,
	k BIGINT NOT NULL,
	lo BIGINT NOT NULL,
	hi BIGINT NOT NULL,
	opened BIGINT NOT NULL,
	round BIGINT NOT NULL,
	due BIGINT NOT NULL,
	token BIGINT NOT NULL,
	process TEXT NOT NULL,
	done BIGINT NOT NULL,
	PRIMARY KEY (mailing, k)
) {packed};
CREATE INDEX outbox_slice_process ON outbox_slice (process) WHERE process <> '';

CREATE TABLE outbox_result (
	mailing BIGINT NOT NULL,
	n BIGINT NOT NULL,
	outcome BIGINT NOT NULL,
	relay TEXT NOT NULL,
	queue_id TEXT NOT NULL,
	at BIGINT NOT NULL,
	round BIGINT NOT NULL,
	tries BIGINT NOT NULL, -- rounds that ended Deferred
	due BIGINT NOT NULL, -- of its next round; zero: the outcome is final
	duplicate BIGINT NOT NULL,
	note TEXT NOT NULL,
	back BIGINT NOT NULL DEFAULT 0, -- what came back: bounce.Kind, its category and time
	category BIGINT NOT NULL DEFAULT 0,
	back_at BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (mailing, n)
) {packed};

-- Transactional mail. Who sends one writes its process into it before, and the outcome after.
CREATE TABLE outbox_mail (
	id {id},
	ref TEXT NOT NULL UNIQUE,
	address TEXT NOT NULL,
	hash BIGINT NOT NULL,
	return_path TEXT NOT NULL,
	options TEXT NOT NULL,
	content BYTEA, -- NULL once it is finished
	created BIGINT NOT NULL,
	not_after BIGINT NOT NULL,
	process TEXT NOT NULL,
	outcome BIGINT NOT NULL,
	relay TEXT NOT NULL,
	queue_id TEXT NOT NULL,
	at BIGINT NOT NULL,
	tries BIGINT NOT NULL,
	due BIGINT NOT NULL,
	duplicate BIGINT NOT NULL,
	note TEXT NOT NULL,
	back BIGINT NOT NULL DEFAULT 0,
	category BIGINT NOT NULL DEFAULT 0,
	back_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX outbox_mail_hash ON outbox_mail (hash);
CREATE INDEX outbox_mail_open ON outbox_mail (due) WHERE due <> 0;
CREATE INDEX outbox_mail_process ON outbox_mail (process) WHERE process <> '';
CREATE INDEX outbox_mail_at ON outbox_mail (outcome, at);

-- Sums, kept in the transactions of what they sum up. Mailing 0 is transactional mail. Every process has rows of its own.
CREATE TABLE outbox_tally (
	mailing BIGINT NOT NULL,
	process TEXT NOT NULL,
	relay TEXT NOT NULL,
	outcome BIGINT NOT NULL,
	count BIGINT NOT NULL,
	PRIMARY KEY (mailing, process, relay, outcome)
) {packed};

CREATE TABLE outbox_returned (
	mailing BIGINT NOT NULL,
	hour BIGINT NOT NULL,
	back BIGINT NOT NULL,
	category BIGINT NOT NULL,
	bad BIGINT NOT NULL, -- mail given up for a permanent error, genuinely: it counts for AutoPause
	count BIGINT NOT NULL,
	PRIMARY KEY (mailing, hour, back, category, bad)
) {packed};

CREATE TABLE outbox_event (
	key TEXT PRIMARY KEY,
	mailing BIGINT NOT NULL,
	n BIGINT NOT NULL,
	back BIGINT NOT NULL,
	category BIGINT NOT NULL,
	at BIGINT NOT NULL
);
CREATE INDEX outbox_event_at ON outbox_event (at);

CREATE TABLE outbox_suppression (
	list TEXT NOT NULL, -- empty: every list
	hash BIGINT NOT NULL, -- with rest 128 bits of the address's keyed hash
	rest BIGINT NOT NULL,
	reason TEXT NOT NULL,
	provider TEXT NOT NULL, -- the address's domain
	at BIGINT NOT NULL,
	until BIGINT NOT NULL,
	count BIGINT NOT NULL,
	active BIGINT NOT NULL, -- the threshold is reached
	held BIGINT NOT NULL, -- waits for review
	PRIMARY KEY (list, hash, rest)
);
CREATE INDEX outbox_suppression_provider ON outbox_suppression (provider, at);
CREATE INDEX outbox_suppression_hash ON outbox_suppression (hash);
CREATE INDEX outbox_suppression_sums ON outbox_suppression (list, reason, active, held, until);
CREATE INDEX outbox_suppression_held ON outbox_suppression (provider, at) WHERE held = 1;
