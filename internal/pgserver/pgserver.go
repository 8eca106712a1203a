// Package pgserver runs a Postgres of its own, in a temporary directory and on a free loopback port, for tests and
// benchmarks. It needs Debian's postgresql package, or the programs initdb and postgres in PATH.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrMissing: the programs are not installed.
var ErrMissing = errors.New("postgres is not installed here (Debian: apt-get install postgresql)")

// A Server is one cluster of databases. Its methods are not for concurrent use.
type Server struct {
	dir, bin string
	port     int
	fsync    bool
	command  *exec.Cmd
	exited   chan struct{}
	identity *syscall.SysProcAttr // of another user than root; nil: our own
}

// Start makes a cluster of databases and starts it. Without fsync it is faster, and survives being killed, but not a power cut.
func Start(ctx context.Context, fsync bool) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgserver")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, fsync: fsync}
	if s.identity, err = giveAway(dir); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	initdb := s.run(ctx, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	if output, err := initdb.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, output)
	}
	if err := s.Restart(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) run(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	command.Dir = s.dir
	command.SysProcAttr = s.identity
	return command
}

// Restart starts the stopped or killed server, on the same port, and waits until it answers.
func (s *Server) Restart(ctx context.Context) error {
	if s.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.port = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	onOff := map[bool]string{true: "on", false: "off"}[s.fsync]
	s.command = s.run(context.WithoutCancel(ctx), "postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync="+onOff, "-c", "max_connections=200", "-c", "max_wal_size=4GB")
	if err := s.command.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(command *exec.Cmd) { _ = command.Wait(); close(exited) }(s.command)
	for {
		if s.run(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)).Run() == nil {
			return nil
		}
		select {
		case <-exited:
			return errors.New("postgres ended at once")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server at once, as a crash does; Restart recovers.
func (s *Server) Kill() {
	if s.exited != nil {
		_ = s.command.Process.Signal(syscall.SIGQUIT) // "immediate shutdown": no checkpoint
		<-s.exited
	}
}

// Create makes a database and returns its URL.
func (s *Server) Create(ctx context.Context, name string) (string, error) {
	output, err := s.run(ctx, "createdb", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "postgres", name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("createdb: %w: %s", err, output)
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, name), nil
}

// Process is the id of the server's process.
func (s *Server) Process() int { return s.command.Process.Pid }

// Close kills the server and removes its files.
func (s *Server) Close() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// programs is the directory of the newest version.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found)), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", ErrMissing
}
