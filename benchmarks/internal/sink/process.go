package sink

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
)

// Main is the sink as a process of its own. It ends with its input.
func Main(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var s Sink
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l.(*net.TCPListener)) }()
	done := make(chan error, 1)
	go func() { done <- Answer(in, out, l.Addr().String(), s.Totals) }()
	select {
	case err := <-failed:
		return err
	case err := <-done:
		return err
	}
}

// Answer is the other end of a Process, for a server of any kind: it prints the
// address, and then the totals as JSON for every line that it reads. It returns at
// the end of its input.
func Answer(in io.Reader, out io.Writer, address string, totals func() Totals) error {
	if _, err := fmt.Fprintln(out, address); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := json.NewEncoder(out).Encode(totals()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Totals returns what was counted so far.
func (s *Sink) Totals() Totals {
	return Totals{s.sessions.Load(), s.accepted.Load(), s.octets.Load(), s.turns.Load()}
}

// A Process is a sink in a process of its own.
type Process struct {
	Address string

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts cmd, whose main function calls Main or Answer.
func Start(cmd *exec.Cmd) (*Process, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the sink did not start: %w", err), p.Close())
	}
	p.Address = line[:len(line)-1]
	return p, nil
}

// Totals asks the process.
func (p *Process) Totals() (Totals, error) {
	var t Totals
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return t, err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(line, &t)
}

// Close ends the process.
func (p *Process) Close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
