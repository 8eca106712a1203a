//go:build unix

package postfix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// An Instance is a running Postfix with configuration, queue, data and log of its
// own. It relays for loopback and throws away what it accepted (discard), after it
// went through its queue like any other mail.
type Instance struct {
	Address string // of its smtpd
	Dir     string
	exited  chan struct{}
	cmd     *exec.Cmd

	logRead   int64 // octets of the log that delivered is about
	delivered int
}

// A Config says what differs from such an instance.
type Config struct {
	// Main is lines of main.cf, which win over the instance's own.
	Main []string
	// Processes is the most smtpd processes, and so clients; zero: 100.
	Processes int
}

// ErrUnavailable is wrapped by errors of Start that say that this machine cannot
// run an instance at all.
var ErrUnavailable = errors.New("no Postfix instance can run here")

// Start starts an instance in a directory of its own for temporary files.
func Start(cfg Config) (_ *Instance, err error) {
	if _, err := Program("master"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	control, err := Program("postfix")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: Postfix's master process has to be started by root", ErrUnavailable)
	}
	p := &Instance{}
	if p.Address, err = freeAddress(); err != nil {
		return nil, err
	}
	if p.Dir, err = os.MkdirTemp("", "mxsend-postfix-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if err := p.configure(cfg); err != nil {
		return nil, err
	}
	// It makes the queue's directories, too.
	if said, err := exec.Command(control, "-c", p.path("etc"), "check").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("postfix check: %w: %s", err, said)
	}
	return p, p.Run()
}

// Run starts the instance again after Kill, with all that its queue holds.
func (p *Instance) Run() error {
	master, err := Program("master")
	if err != nil {
		return err
	}
	p.exited = make(chan struct{})
	p.cmd = exec.Command(master, "-c", p.path("etc"), "-d")
	p.cmd.Env = append(os.Environ(), "MAIL_CONFIG="+p.path("etc"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // it ends by a signal of ours, or has said in its log why
	}()
	if err := waitForPort(p.Address, 10*time.Second); err != nil {
		log, _ := p.Log()
		return fmt.Errorf("Postfix: %w: %s", err, log)
	}
	return nil
}

func (p *Instance) path(name string) string { return filepath.Join(p.Dir, name) }

func (p *Instance) configure(cfg Config) error {
	// Postfix's user has to get in.
	if err := os.Chmod(p.Dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{"etc", "queue", "data", "log"} {
		if err := os.Mkdir(p.path(d), 0o755); err != nil {
			return err
		}
	}
	owner, err := exec.Command("id", "-u", "postfix").Output()
	if err != nil {
		return fmt.Errorf("%w: there is no user called postfix", ErrUnavailable)
	}
	var uid int
	if _, err := fmt.Sscan(string(owner), &uid); err != nil {
		return err
	}
	if err := os.Chown(p.path("data"), uid, -1); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return err
	}
	processes := cfg.Processes
	if processes == 0 {
		processes = 100
	}
	main := append(strings.Split(fmt.Sprintf(mainCF, p.Dir), "\n"), cfg.Main...)
	return errors.Join(
		os.WriteFile(p.path("etc/main.cf"), []byte(strings.Join(main, "\n")+"\n"), 0o644),
		os.WriteFile(p.path("etc/master.cf"), fmt.Appendf(nil, masterCF, port, processes), 0o644),
	)
}

// Log returns the instance's log so far.
func (p *Instance) Log() ([]byte, error) {
	log, err := os.ReadFile(p.path("log/mail.log"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return log, err
}

// Delivered is how many recipients went all the way through the queue. It must
// not be called concurrently.
func (p *Instance) Delivered() (int, error) {
	f, err := os.Open(p.path("log/mail.log"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	news, err := io.ReadAll(io.NewSectionReader(f, p.logRead, 1<<40))
	if err != nil {
		return 0, err
	}
	news = news[:bytes.LastIndexByte(news, '\n')+1]
	p.logRead += int64(len(news))
	p.delivered += bytes.Count(news, []byte("status=sent ("))
	return p.delivered, nil
}

// AwaitDelivered waits until as many recipients went through the queue as are
// wanted, and returns how many did in the end.
func (p *Instance) AwaitDelivered(want int, most time.Duration) (got int, err error) {
	for end := time.Now().Add(most); ; time.Sleep(50 * time.Millisecond) {
		if got, err = p.Delivered(); err != nil || got >= want || time.Now().After(end) {
			return got, err
		}
	}
}

// Stop ends the instance, its processes and its directory.
func (p *Instance) Stop() error { return errors.Join(p.end(syscall.SIGTERM), os.RemoveAll(p.Dir)) }

// Kill ends the instance and its processes as a crash would; its files stay.
func (p *Instance) Kill() error { return p.end(syscall.SIGKILL) }

func (p *Instance) end(signal syscall.Signal) error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	select {
	case <-p.exited:
		return nil
	default:
	}
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, signal) // gone in this very moment, perhaps
	select {
	case <-p.exited:
		return nil
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-p.exited
		return errors.New("Postfix did not end within ten seconds and was killed")
	}
}
