package mxtest

// A Relay is a primary or graveyard of a cluster. Its methods are safe for concurrent use.
type Relay struct{}

// Name is the relay's host name, "p1.mail.test".
func (r *Relay) Name() string { panic(errNotBuilt) }

// Addr is the relay's address in the cluster, "10.0.0.11:25", as Cluster.Dial takes it.
func (r *Relay) Addr() string { panic(errNotBuilt) }

// ListenAddr is the loopback address behind it, for clients that cannot use Cluster.Dial: "127.0.0.1:40321".
// It is Addr with Config.Memory.
func (r *Relay) ListenAddr() string { panic(errNotBuilt) }

// Stop stops the relay as a machine that is switched off: connections are refused, open ones are reset, its
// queues wait. Stopping a stopped relay does nothing.
func (r *Relay) Stop() { panic(errNotBuilt) }

// BlackHole takes the relay off the network: connecting to it hangs, open connections hear nothing more.
// Its queues go on.
func (r *Relay) BlackHole() { panic(errNotBuilt) }

// Start ends Stop and BlackHole. Connections from before stay dead.
func (r *Relay) Start() { panic(errNotBuilt) }

// Inject adds faults; the first that matches strikes. A fault that makes no sense is tb.Fatal, or a panic in a cluster of Start.
func (r *Relay) Inject(faults ...Fault) { panic(errNotBuilt) }

// ClearFaults forgets all faults. Those that are striking go on.
func (r *Relay) ClearFaults() { panic(errNotBuilt) }

// SetLimits replaces the relay's limits.
func (r *Relay) SetLimits(l Limits) { panic(errNotBuilt) }

// Queues are the numbers of messages in the relay's queues.
type Queues struct{ Incoming, Active, Deferred int }

// Queues counts the relay's queues.
func (r *Relay) Queues() Queues { panic(errNotBuilt) }

// Flush makes all deferred mail due now, as postqueue -f.
func (r *Relay) Flush() { panic(errNotBuilt) }

// Wipe loses the relay's disk: all mail in its queues is Lost.
func (r *Relay) Wipe() { panic(errNotBuilt) }

// Sessions is the number of open client sessions.
func (r *Relay) Sessions() int { panic(errNotBuilt) }

// Transcripts are the relay's client sessions in order of their start; empty unless Config.Transcripts is set.
func (r *Relay) Transcripts() []string { panic(errNotBuilt) }
