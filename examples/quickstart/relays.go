package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// realRelays are relays that are there already, as the flags tell of them, in place of those in this process.
type realRelays struct {
	domain     string
	nameServer string
	ca         string
	selector   string
	key        string
	back       string
	wait       time.Duration
	receipts   string
}

func (o *realRelays) flags(f *flag.FlagSet) {
	f.StringVar(&o.domain, "relays", "", "mail `domain` of relays to send through (default: some in this process); it needs the flags below")
	f.StringVar(&o.nameServer, "nameserver", "", "with -relays: `address` of a name server that knows them (default: the system's)")
	f.StringVar(&o.ca, "ca", "", "with -relays: PEM `file` of the CA that signs their certificates (default: the system's CAs)")
	f.StringVar(&o.selector, "selector", "s2026", "with -key: its `selector`")
	f.StringVar(&o.key, "key", "", "with -relays: private key `file` to sign with, for "+shopDomain+" (default: not signed)")
	f.StringVar(&o.back, "back", "", "with -relays: `address` of this machine where the receiving host brings bounces: LMTP on port 2424, policy requests on 2425")
	f.DurationVar(&o.wait, "wait", time.Minute, "with -relays: how long to wait for bounces")
	f.StringVar(&o.receipts, "receipts", "", "with -relays: `file` to write what became of every mail to, a line of JSON each")
}

// check says which flags do not go together.
func (o *realRelays) check(set func(name string) bool) error {
	if o.domain != "" {
		if o.wait < 0 {
			return errors.New("-wait must not be negative")
		}
		return nil
	}
	for _, name := range []string{"nameserver", "ca", "selector", "key", "back", "wait", "receipts"} {
		if set(name) {
			return fmt.Errorf("-%s goes with -relays", name)
		}
	}
	return nil
}

// bringBack opens the ports that the receiving host brings bounces to. Without -back there are none.
func (o *realRelays) bringBack(r *bounce.Receiver) error {
	if o.back == "" {
		return nil
	}
	lmtp, err := net.Listen("tcp", net.JoinHostPort(o.back, "2424"))
	if err != nil {
		return fmt.Errorf("-back: %w", err)
	}
	policy, err := net.Listen("tcp", net.JoinHostPort(o.back, "2425"))
	if err != nil {
		return errors.Join(fmt.Errorf("-back: %w", err), lmtp.Close())
	}
	go func() { _ = r.ServeLMTP(lmtp) }()
	go func() { _ = r.ServePolicy(policy) }()
	return nil
}

// config is the client's.
func (o *realRelays) config() (mxsend.Config, error) {
	cfg := mxsend.Config{Domain: o.domain, LocalName: "app." + shopDomain}
	if o.nameServer != "" {
		cfg.Resolver = mxsend.NewResolver(o.nameServer)
	}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return cfg, fmt.Errorf("-ca: %w", err)
		}
		cfg.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		if !cfg.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return cfg, fmt.Errorf("-ca: %s holds no certificate in PEM", o.ca)
		}
	}
	if o.key != "" {
		key, err := dkim.LoadKey(o.key)
		if err != nil {
			return cfg, fmt.Errorf("-key: %w", err)
		}
		if cfg.Signer, err = dkim.NewSigner(dkim.Config{Domain: shopDomain, Keys: []dkim.Key{{Selector: o.selector, Signer: key}}}); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// await waits for bounces, if they come here; it ends early with its context.
func (o *realRelays) await(ctx context.Context, progress io.Writer) {
	if o.back == "" {
		return
	}
	fmt.Fprintf(progress, "waiting %v for bounces; interrupt to wait no longer\n", o.wait)
	select {
	case <-ctx.Done():
	case <-time.After(o.wait):
	}
}

// A receiptLine is a line of -receipts.
type receiptLine struct {
	ID         uint64 `json:"id"`
	To         string `json:"to"`
	ReturnPath string `json:"return_path"`
	Lane       string `json:"lane"`
	Outcome    string `json:"outcome"`
	Relay      string `json:"relay,omitempty"`
	QueueID    string `json:"queue_id,omitempty"`
	Bounce     string `json:"bounce,omitempty"` // status and category, of mail that came back
}

// writeReceipts writes what became of every mail.
func (o *realRelays) writeReceipts(w *world, sent []submission) error {
	if o.receipts == "" {
		return nil
	}
	f, err := os.Create(o.receipts)
	if err != nil {
		return err
	}
	w.mu.Lock()
	bounced := maps.Clone(w.bounced)
	w.mu.Unlock()
	lines := json.NewEncoder(f)
	for _, s := range sent {
		line := receiptLine{ID: s.id, To: s.address, ReturnPath: s.returnPath, Lane: s.lane.String(), Outcome: s.outcome.String(), Relay: s.relay, QueueID: s.queueID}
		if about, ok := bounced[s.id]; ok {
			line.Bounce = fmt.Sprintf("%s %v", about.Status, about.Category)
		}
		if err := lines.Encode(line); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// relaysOf are the relays that took mail.
func relaysOf(sent []submission) []string {
	var names []string
	for _, s := range sent {
		if s.outcome == mxsend.Accepted && !slices.Contains(names, s.relay) {
			names = append(names, s.relay)
		}
	}
	return names
}
