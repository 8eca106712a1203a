package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/bar"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

//go:embed templates
var templates embed.FS

// senderCommand is what this program is called with as the process that sends.
const senderCommand = "_sender"

// A senderSpec is what it is told. All else is in the database.
type senderSpec struct {
	Database string
	Relays   []mxsend.Host
	Secret   []byte
}

// A real lease is longer, and a real gate may be wider; here nobody wants to wait, or to see a thousand in doubt.
const lease, gate = time.Second, 200

func (s senderSpec) config() (outbox.Config, error) {
	codec, err := verp.New(verp.Config{Prefix: "b", Domain: "bounce.shop.test", Keys: []verp.Key{{ID: 1, Secret: s.Secret}}})
	return outbox.Config{Database: s.Database, VERP: codec, Key: s.Secret, Lease: lease, Gate: gate, Logger: slog.New(slog.DiscardHandler),
		UnsubscribeURL: "https://shop.test/unsubscribe/"}, err
}

// sender sends whatever the database says is to be sent, until its parent ends, or kills it.
func sender(ctx context.Context, args []string) error {
	var spec senderSpec
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &spec) != nil {
		return errors.New("this is for the program itself")
	}
	cfg, err := spec.config()
	if err != nil {
		return err
	}
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return err
	}
	if cfg.Render, err = outbox.Templates(outbox.Letters{FS: files, From: "Shop <news@shop.test>"}); err != nil {
		return err
	}
	// In clear, since it does not leave this machine.
	cfg.Client, err = mxsend.New(mxsend.Config{Domain: "relays.shop.test", Resolver: mxsend.StaticRelays(spec.Relays...), TLS: mxsend.TLSDisabled})
	if err != nil {
		return err
	}
	b, err := outbox.New(ctx, cfg)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.Join(b.Close(), cfg.Client.Close())
}

func startSender(spec senderSpec) (*exec.Cmd, io.Closer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(program, senderCommand, string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	return cmd, stdin, cmd.Start()
}

// demo is a mailing with everything that goes wrong.
func demo(ctx context.Context, n int, rate float64, address string, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "mailing")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	spec := senderSpec{Database: filepath.Join(dir, "outbox.db"), Secret: []byte("a secret of this demonstration!!")}
	cfg, err := spec.config()
	if err != nil {
		return err
	}
	// This process sends nothing: it stores the list, watches, and records what comes back.
	b, err := outbox.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	closeDashboard, err := serveDashboard(b, address, stderr)
	if err != nil {
		return err
	}
	defer closeDashboard()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := &bounce.Receiver{Codec: cfg.VERP, Handle: b.Record, Hostname: "bounce.shop.test", Logger: cfg.Logger}
	defer func() { _ = receiver.Close() }()
	go func() { _ = receiver.ServeLMTP(l) }()
	cluster, err := mxtest.Start(mxtest.Config{Domain: "relays.shop.test", Bounces: "lmtp:" + l.Addr().String(), KeepContent: -1})
	if err != nil {
		return err
	}
	defer func() { _ = cluster.Close() }()
	cluster.Destination("provider7.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such mailbox"), "gone*")
	for i := range 2 {
		at, err := netip.ParseAddrPort(cluster.Primary(i).ListenAddr())
		if err != nil {
			return err
		}
		spec.Relays = append(spec.Relays, mxsend.Host{Name: cluster.Primary(i).Name(), Preference: 10, Addresses: []netip.Addr{at.Addr()}, Port: int(at.Port())})
	}

	const name = "newsletter"
	begin := time.Now()
	loaded, err := b.Start(ctx, outbox.Mailing{Name: name, Template: "news", Rate: rate, Params: map[string]string{"season": "winter"}}, recipients(n))
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d recipients stored in %v\n", loaded.Recipients, time.Since(begin).Round(time.Millisecond))
	progress := bar.New(stderr, n)
	first, stdin, err := startSender(spec)
	if err != nil {
		return err
	}
	defer func() { _ = stdin.Close() }()
	done := func(share float64) func(outbox.Status) bool {
		return func(s outbox.Status) bool {
			return float64(s.Recipients-s.Outcomes[outbox.Pending]) >= share*float64(n) || s.Ended()
		}
	}
	steps := []struct {
		share float64
		do    func() error
	}{
		{0.25, func() error {
			cluster.Primary(0).Stop()
			progress.Say("%s is switched off", cluster.Primary(0).Name())
			return nil
		}},
		{0.5, func() error {
			err := first.Process.Kill() // kill -9
			_ = first.Wait()
			progress.Say("the process that sends is killed with -9; another is started")
			if err == nil {
				_, stdin, err = startSender(spec)
			}
			return err
		}},
		{0.75, func() error {
			cluster.Primary(0).Start()
			progress.Say("%s is back", cluster.Primary(0).Name())
			return nil
		}},
	}
	for _, step := range steps {
		if _, err := watch(ctx, b, name, progress, done(step.share)); err != nil {
			return err
		}
		if err := step.do(); err != nil {
			return err
		}
	}
	if _, err := watch(ctx, b, name, progress, outbox.Status.Ended); err != nil {
		return err
	}
	progress.End()
	settle, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := cluster.WaitIdle(settle); err != nil {
		return err
	}
	return hold(ctx, b, cluster, name, stdout)
}

// recipients are sorted by provider, as lists often are; some of their mailboxes are gone.
func recipients(n int) iter.Seq2[outbox.Recipient, error] {
	return func(yield func(outbox.Recipient, error) bool) {
		for i := range n {
			local := "customer"
			if i%50 == 0 {
				local = "gone"
			}
			address := fmt.Sprintf("%s%d@provider%d.test", local, i, i*10/n)
			if !yield(outbox.Recipient{Address: address, Data: map[string]string{"name": fmt.Sprintf("Customer %d", i)}}, nil) {
				return
			}
		}
	}
}
