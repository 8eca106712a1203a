package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// A Figure is what one run of a peer took, process start not included where the
// peer is no program of its own.
type Figure struct {
	Accepted int // by the peer's own account; programs that give none: as asked
	Elapsed  time.Duration
	CPU      time.Duration // user and system time of the peer's process
	Mallocs  uint64        // zero for programs
	Octets   uint64        // allocated
}

// Main does a job in this process, which should have nothing else to do, and
// prints the Figure as JSON.
func Main(ctx context.Context, spec string, out io.Writer) error {
	var job Job
	if err := json.Unmarshal([]byte(spec), &job); err != nil {
		return err
	}
	p, err := find(job.Peer)
	if err != nil {
		return err
	}
	returnPaths := job.Messages
	if p.oneReturnPath {
		returnPaths = 1
	}
	m := newMailing(job, returnPaths)
	if m.keys, err = makeKeys(p.keys); err != nil {
		return err
	}
	if m.signer, err = newSigner(m.keys); err != nil {
		return err
	}
	stop, err := profile(job.Profile)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	accepted, err := p.run(ctx, job, m)
	f := Figure{Accepted: accepted, Elapsed: time.Since(start), CPU: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	f.Mallocs, f.Octets = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(f)
}

// Run runs the peer in a process of its own: a program, or what self makes of the
// job, whose main function calls Main.
func (p Peer) Run(ctx context.Context, job Job, self func(spec string) *exec.Cmd) (Figure, error) {
	job.Peer = p.Name
	if p.command != nil {
		cmd, err := p.command(job)
		if err != nil {
			return Figure{}, err
		}
		if p.measures {
			return reported(p, cmd)
		}
		return timed(ctx, job, cmd)
	}
	spec, err := json.Marshal(job)
	if err != nil {
		return Figure{}, err
	}
	return reported(p, self(string(spec)))
}

// reported runs a command that prints its Figure.
func reported(p Peer, cmd *exec.Cmd) (f Figure, err error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return Figure{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	return f, json.Unmarshal(out, &f)
}

// timed runs a command and measures it from without.
func timed(ctx context.Context, job Job, cmd *exec.Cmd) (Figure, error) {
	start := time.Now()
	said, err := cmd.CombinedOutput()
	elapsed := time.Since(start)
	if err != nil {
		return Figure{}, fmt.Errorf("%s: %w: %s", job.Peer, err, said)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return Figure{Accepted: job.Messages, Elapsed: elapsed, CPU: cpu}, ctx.Err()
}
