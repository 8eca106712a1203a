package postfix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// A Sink is a running smtp-sink.
type Sink struct {
	Address string
	cmd     *exec.Cmd
	counts  *os.File // what it prints: its counters, after every mail
}

// StartSink starts one on a port of its own, with options besides those that it
// needs.
func StartSink(options ...string) (*Sink, error) {
	program, err := Program("smtp-sink")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &Sink{Address: address}
	if s.counts, err = os.CreateTemp("", "mxsend-smtp-sink-*"); err != nil {
		return nil, err
	}
	args := append([]string{"-4", "-c"}, options...)
	if os.Geteuid() == 0 {
		args = append(args, "-u", "nobody")
	}
	s.cmd = exec.Command(program, append(args, s.Address, "1024")...)
	s.cmd.Stdout, s.cmd.Stderr = s.counts, os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := waitForPort(s.Address, 5*time.Second); err != nil {
		return nil, errors.Join(fmt.Errorf("smtp-sink: %w", err), s.Close())
	}
	return s, nil
}

var sinkCount = regexp.MustCompile(`mesg=(\d+)`)

// Accepted is how many mails it has taken.
func (s *Sink) Accepted() (int, error) {
	const tail = 128
	end, err := s.counts.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	b := make([]byte, tail)
	n, err := s.counts.ReadAt(b, max(0, end-tail))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	b = b[:n]
	all := sinkCount.FindAllSubmatch(b[:bytes.LastIndexByte(b, '\r')+1], -1)
	if len(all) == 0 {
		if end > tail {
			return 0, fmt.Errorf("smtp-sink prints no counters: %q", b)
		}
		return 0, nil
	}
	return strconv.Atoi(string(all[len(all)-1][1]))
}

// Close ends it.
func (s *Sink) Close() error {
	var errs []error
	if s.cmd != nil && s.cmd.Process != nil {
		errs = append(errs, s.cmd.Process.Kill())
		_ = s.cmd.Wait() // killed, so no error tells anything
	}
	return errors.Join(append(errs, s.counts.Close(), os.Remove(s.counts.Name()))...)
}

// freeAddress is a port on loopback that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func waitForPort(address string, most time.Duration) error {
	for end := time.Now().Add(most); ; time.Sleep(20 * time.Millisecond) {
		nc, err := net.Dial("tcp4", address)
		if err == nil {
			return nc.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("nobody listens after %v: %w", most, err)
		}
	}
}
