package peers

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

// An SMTPSink is Postfix's smtp-sink.
type SMTPSink struct {
	Address string
	cmd     *exec.Cmd
	counts  *os.File // what it prints: its counters, after every mail
}

// StartSMTPSink starts one.
func StartSMTPSink(options ...string) (*SMTPSink, error) {
	program, err := postfixProgram("smtp-sink")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &SMTPSink{Address: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	if s.counts, err = os.CreateTemp("", "mxsend-benchmark-sink-*"); err != nil {
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
	for range 100 {
		nc, err := net.Dial("tcp4", s.Address)
		if err == nil {
			return s, nc.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("smtp-sink does not listen"), s.Close())
}

var sinkCount = regexp.MustCompile(`mesg=(\d+)`)

// Accepted is how many mails it has taken.
func (s *SMTPSink) Accepted() (int, error) {
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
func (s *SMTPSink) Close() error {
	var errs []error
	if s.cmd != nil && s.cmd.Process != nil {
		errs = append(errs, s.cmd.Process.Kill())
		_ = s.cmd.Wait() // killed, so no error tells anything
	}
	return errors.Join(append(errs, s.counts.Close(), os.Remove(s.counts.Name()))...)
}
