//go:build unix

package postfix

import (
	"bytes"
	"errors"
	"fmt"
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
	master, err := Program("master")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	control, err := Program("postfix")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: Postfix's master process has to be started by root", ErrUnavailable)
	}
	p := &Instance{exited: make(chan struct{})}
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
	p.cmd = exec.Command(master, "-c", p.path("etc"), "-d")
	p.cmd.Env = append(os.Environ(), "MAIL_CONFIG="+p.path("etc"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // it ends by a signal of Stop, or has said in its log why
	}()
	if err := waitForPort(p.Address, 10*time.Second); err != nil {
		log, _ := p.Log()
		return nil, fmt.Errorf("Postfix: %w: %s", err, log)
	}
	return p, nil
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

// Delivered is how many recipients went all the way through the queue.
func (p *Instance) Delivered() (int, error) {
	log, err := p.Log()
	return bytes.Count(log, []byte("status=sent (")), err
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
func (p *Instance) Stop() error { return errors.Join(p.Kill(), os.RemoveAll(p.Dir)) }

// Kill ends the instance and its processes at once, as far as its clients can
// tell; its files stay.
func (p *Instance) Kill() error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM) // gone already, perhaps
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-p.exited
		return errors.New("Postfix did not end within ten seconds and was killed")
	}
	return nil
}
