//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A system is what "up" has started, under addresses and in a folder of its own.
type system struct {
	t        *testing.T
	dir, net string
	env      []string
}

// up runs "up", and skips the test where that says that something is missing. MXSEND_REAL_POSTFIX in the environment is "must" where
// nothing may be missing, and "no" where the test has been run already.
func up(t *testing.T) *system {
	t.Helper()
	wanted := os.Getenv("MXSEND_REAL_POSTFIX")
	if wanted == "no" {
		t.Skip("MXSEND_REAL_POSTFIX says no")
	}
	dir := t.TempDir()
	// Postfix's own user has to pass through, and the parent is the testing package's, for nobody else.
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &system{t: t, dir: filepath.Join(dir, "postfix"), net: fmt.Sprintf("127.19.%d", os.Getpid()%250)}
	s.env = append(os.Environ(), "DIR="+s.dir, "NET="+s.net)
	out, err := s.script("./up")
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 2 || errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		if wanted != "must" {
			t.Skipf("%v: %s", err, out)
		}
	}
	if err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"p1", "p2", "g1", "g2", "in"} {
				log := s.log(name)
				t.Logf("the end of %s's log:\n%s", name, log[max(0, len(log)-2000):])
			}
		}
		if out, err := s.script("./down"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
		if out, err := exec.Command("ip", "-br", "addr").Output(); err != nil || bytes.Contains(out, []byte(s.net+".")) {
			t.Errorf("down has left addresses behind: %s, %v", out, err)
		}
		if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("down has left %s behind: %v", s.dir, err)
		}
	})
	return s
}

func (s *system) script(name string) ([]byte, error) {
	cmd := exec.Command(name)
	cmd.Env = s.env
	return cmd.CombinedOutput()
}

// command runs a program that must succeed.
func (s *system) command(name string, args ...string) {
	s.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// build compiles a command of this module, and returns its path.
func (s *system) build(name string) string {
	s.t.Helper()
	path := filepath.Join(filepath.Dir(s.dir), name)
	s.command("go", "build", "-o", path, "../"+name)
	return path
}

// start starts an instance that has ended.
func (s *system) start(name string) {
	s.t.Helper()
	s.command("postfix", "-c", filepath.Join(s.dir, name, "etc"), "start")
}

// kill ends an instance as a power cut would.
func (s *system) kill(name string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name, "queue/pid/master.pid"))
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil { // master leads the process group of all its processes
		s.t.Fatal(err)
	}
}

func (s *system) log(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name+".log"))
	if err != nil {
		s.t.Error(err)
	}
	return string(text)
}

// queued is how many mails the instances have. A file that is not executable is a mail that was being taken when its relay was killed,
// before the 250: Postfix never looks at it again.
func (s *system) queued(names ...string) int {
	n := 0
	for _, name := range names {
		for _, queue := range []string{"incoming", "active", "deferred"} {
			// Files come and go under the walk.
			_ = filepath.WalkDir(filepath.Join(s.dir, name, "queue", queue), func(_ string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return nil
				}
				if info, err := d.Info(); err == nil && info.Mode()&0o100 != 0 {
					n++
				}
				return nil
			})
		}
	}
	return n
}

// lines decodes a file with a JSON object a line.
func lines[T any](t *testing.T, file string) []T {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var one T
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, one)
	}
}

// await waits until something is so.
func await(t *testing.T, most time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", most, what)
		}
	}
}
