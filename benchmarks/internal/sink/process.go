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

// Main is the sink as a process of its own: it prints its address, and then its
// Totals as JSON for every line that it reads. It ends with its input.
func Main(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var s Sink
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l.(*net.TCPListener)) }()
	fmt.Fprintln(out, l.Addr())
	done := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if err := json.NewEncoder(out).Encode(s.Totals()); err != nil {
				done <- err
				return
			}
		}
		done <- lines.Err()
	}()
	select {
	case err := <-failed:
		return err
	case err := <-done:
		return err
	}
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

// Start starts cmd, whose main function calls Main.
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
