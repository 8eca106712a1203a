package outbox

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// testInputOutputError has the file system refuse writes beyond the size that the database has: the system answers EFBIG,
// which SQLite reports as an I/O error (SQLITE_IOERR_WRITE), as it does EIO.
func testInputOutputError(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	database := filepath.Join(t.TempDir(), "outbox.db")
	testWritesFail(t, database, func() (heal func()) {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// testFullDisk fills a small file system.
func testFullDisk(t *testing.T) {
	dir := t.TempDir()
	if output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v: %s", err, output)
	}
	t.Cleanup(func() {
		if output, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, output)
		}
	})
	testWritesFail(t, filepath.Join(dir, "outbox.db"), func() (heal func()) {
		ballast := filepath.Join(dir, "ballast")
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		for size := 1 << 16; size >= 512; size /= 2 { // to the last block
			for err = nil; err == nil; _, err = f.Write(make([]byte, size)) {
			}
		}
		_ = f.Close()
		return func() {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// testWritesFail has writes fail while a mailing runs: new mail is refused, nothing more is handed over than what has its
// intent already, and when writes succeed again everything goes on, exactly.
func testWritesFail(t *testing.T, database string, fail func() (heal func())) {
	cluster := mxtest.NewCluster(t, mxtest.Config{KeepContent: -1})
	const n, gate = 4000, 200
	var client *mxsend.Client = testClient(t, cluster)
	cfg := testConfig(t, database, client)
	cfg.Render, cfg.Gate = slowly, gate
	cfg.Logger = nil // River has a lot to say
	b := newBox(t, cfg)
	if _, err := b.Start(t.Context(), Mailing{Name: "news"}, people(n)); err != nil {
		t.Fatal(err)
	}
	waitAccepted(t, cluster, 500)
	heal := fail()
	healed := false
	defer func() {
		if !healed {
			heal()
		}
	}()
	failed := cluster.Ledger().Counts().Accepted

	tx, err := b.DB().BeginTx(t.Context(), nil)
	if err == nil {
		_, err = b.Enqueue(t.Context(), tx, Mail{Ref: "refused", To: "jane@example.test", Content: make([]byte, 1<<20)})
		if err == nil {
			err = tx.Commit()
		}
		_ = tx.Rollback()
	}
	if err == nil {
		t.Error("a mail was taken that cannot be stored")
	}
	if _, err := b.Start(t.Context(), Mailing{Name: "more"}, people(20_000)); err == nil {
		t.Error("a mailing was taken that cannot be stored")
	}
	if stopped := still(t, cluster); stopped > failed+2*gate || stopped == n {
		t.Errorf("the relays had %d when writes began to fail, and got %d", failed, stopped)
	}
	heal()
	healed = true
	waitFor(t, b, "news", Status.Ended)
	// While writes failed the lease may have ended, and what was under way then may have been cut off.
	holdAgainst(t, b, cluster, "news", n, 2*gate, false)
	if mails := cluster.Ledger().FindRecipient("jane@example.test"); len(mails) != 0 {
		t.Error("a mail that was refused was sent")
	}
}
