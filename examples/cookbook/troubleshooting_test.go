package cookbook

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

var update = flag.Bool("update", false, "write troubleshooting.md anew")

// A trouble is provoked, and what the error then says is a row of troubleshooting.md.
type trouble struct {
	section, name string
	world         func(*mxtest.Cluster)
	config        func(*mxsend.Config)
	message       func(*mxsend.Message)
	is            error  // what the error is
	isName        string // its name
	remedy        string
}

// faultOf has the relay misbehave always.
func faultOf(kind mxtest.FaultKind, at mxtest.Stage, reply string) func(*mxtest.Cluster) {
	return func(c *mxtest.Cluster) {
		c.Primary(0).Inject(mxtest.Fault{Kind: kind, At: at, Reply: reply, Times: mxtest.Always})
	}
}

func plainAuth() sasl.Client { return sasl.NewPlainClient("", "shop", "wrong") }

var troubles = []trouble{
	{"Finding relays", "no such domain", nil, func(c *mxsend.Config) { c.Domain = "typo.test" }, nil, mxsend.ErrNoRelay, "ErrNoRelay",
		"`Config.Domain` is misspelt, or the name servers of this machine do not know the internal domain: `dig MX` tells. Name others by `Config.Resolver: mxsend.NewResolver(\"10.0.0.53\")`."},
	{"Finding relays", "null MX", func(c *mxtest.Cluster) { c.DNS().SetMX(c.Domain(), mxtest.MX{Host: "."}) }, nil, nil, mxsend.ErrNoRelay, "ErrNoRelay",
		"The domain's MX record says that it takes no mail: name the internal domain of your relays, not the one in From."},
	{"Finding relays", "drained", nil, func(c *mxsend.Config) { c.Weights = map[string]int{"p1.mail.test": 0} }, nil, mxsend.ErrNoRelay, "ErrNoRelay",
		"Every relay has weight 0, or is beyond `MaxPreference`: give one a weight."},
	{"Reaching relays", "wrong port", nil, func(c *mxsend.Config) { c.Port = 26 }, nil, mxsend.ErrDeferred, "ErrDeferred",
		"Nothing listens there: check `Config.Port`, a firewall, and whether the relay runs."},
	{"Reaching relays", "black hole", func(c *mxtest.Cluster) { c.Primary(0).BlackHole() }, nil, nil, mxsend.ErrDeferred, "ErrDeferred",
		"Packets vanish: a firewall, or the relay's host is down. Where port 25 is blocked on your network, use the port that the relay offers instead."},
	{"Reaching relays", "no SMTP", faultOf(mxtest.Raw, mxtest.AtGreeting, "HTTP/1.1 400 Bad Request\r\n\r\n"), nil, nil, mxsend.ErrDeferred, "ErrDeferred",
		"Another service answers at that address and port."},
	{"TLS", "no STARTTLS", faultOf(mxtest.TLSStripped, 0, ""), nil, nil, mxsend.ErrTLSRequired, "ErrTLSRequired",
		"Set `smtpd_tls_security_level = may` and a certificate on the relay; or, on a network you trust, `Config.TLS: mxsend.TLSDisabled`."},
	{"TLS", "unknown CA", nil, func(c *mxsend.Config) { c.TLSConfig = nil }, nil, mxsend.ErrTLSVerify, "ErrTLSVerify",
		"The relay's CA is not one of this machine's: set `Config.TLSConfig.RootCAs` ([relays.md](relays.md))."},
	{"TLS", "expired", faultOf(mxtest.TLSExpired, 0, ""), nil, nil, mxsend.ErrTLSVerify, "ErrTLSVerify",
		"Renew the certificate on the relay, and reload Postfix."},
	{"TLS", "wrong name", faultOf(mxtest.TLSWrongName, 0, ""), nil, nil, mxsend.ErrTLSVerify, "ErrTLSVerify",
		"The certificate must bear the name in the MX record."},
	{"TLS", "another domain", nil, func(c *mxsend.Config) { c.RelayNames = []string{"*.relays.example.com"} }, nil, mxsend.ErrTLSVerify, "ErrTLSVerify",
		"The relay is not within `Config.RelayNames` (nil: within `Config.Domain`): add its name, if it is yours."},
	{"TLS", "implicit", nil, func(c *mxsend.Config) { c.TLS = mxsend.TLSImplicit }, nil, mxsend.ErrDeferred, "ErrDeferred",
		"`TLSImplicit` is for port 465. At ports 25 and 587 use `TLSRequired`, which is the default."},
	{"Credentials and access", "AUTH not offered", nil, func(c *mxsend.Config) { c.Auth = plainAuth }, nil, mxsend.ErrDeferred, "ErrDeferred",
		"The relay has no AUTH at this port: leave out `Config.Auth`, or use its submission port (587)."},
	{"Credentials and access", "wrong password", nil, func(c *mxsend.Config) { c.Auth = plainAuth }, nil, mxsend.ErrRelayRefused, "ErrRelayRefused",
		"User or password is wrong. After a refusal it is tried again in five minutes at the earliest."},
	{"Credentials and access", "relay access denied", faultOf(mxtest.Answer, mxtest.AtRcpt, "554 5.7.1 <jane@example.net>: Relay access denied"), nil, nil, mxsend.ErrRelayRefused, "ErrRelayRefused",
		"Add this machine's network to `mynetworks` on the relay, or use AUTH. The recipient is not at fault."},
	{"Credentials and access", "EHLO", faultOf(mxtest.Answer, mxtest.AtRcpt, "504 5.5.2 <app>: Helo command rejected: need fully-qualified hostname"), nil, nil, mxsend.ErrRelayRefused, "ErrRelayRefused",
		"Set `Config.LocalName` to a full name of this machine. In a container, the host name is not one."},
	{"Credentials and access", "sender", faultOf(mxtest.Answer, mxtest.AtRcpt, "550 5.1.8 <b@nowhere.example>: Sender address rejected: Domain not found"), nil, nil, mxsend.ErrRelayRefused, "ErrRelayRefused",
		"The domain of `Message.ReturnPath` needs an MX or A record that the relay can see."},
	{"The message", "no return path", nil, nil, func(m *mxsend.Message) { m.ReturnPath = "" }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"Say where bounces go: an address of [verp](https://pkg.go.dev/github.com/mxsend/go-mxsend/verp), or `\"<>\"` for none."},
	{"The message", "brackets", nil, nil, func(m *mxsend.Message) { m.Recipients = []string{"<jane@example.net>"} }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"go-mail's `GetRecipients` returns such: [libraries.md](libraries.md)."},
	{"The message", "nobody", nil, nil, func(m *mxsend.Message) { m.Recipients = nil }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"Bcc, Cc and To are all recipients of the envelope; none is read from the header."},
	{"The message", "twice", nil, nil, func(m *mxsend.Message) { m.Recipients = append(m.Recipients, m.Recipients[0]) }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"The first of the two was sent; take out doubles before."},
	{"The message", "no header", nil, nil, func(m *mxsend.Message) { m.Content = []byte("Hello Jane,\n") }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"`Content` is a whole message: header, empty line, body."},
	{"The message", "no From", nil, nil, func(m *mxsend.Message) { m.Content = []byte("Subject: Hello\n\nHello\n") }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"Add one From field."},
	{"The message", "long line", nil, nil, func(m *mxsend.Message) { m.Content = []byte(mail + strings.Repeat("x", 1000)) }, mxsend.ErrInvalidMessage, "ErrInvalidMessage",
		"Encode the body as quoted-printable or base64, which every composer does on request; `dkim.Prepare` does it, too."},
	{"The message", "staging", nil, func(c *mxsend.Config) {
		c.AllowRecipient = func(a string) bool { return strings.HasSuffix(a, "@example.com") }
	}, nil, mxsend.ErrNotAllowed, "ErrNotAllowed",
		"The guard for staging did its work."},
	{"The message", "too large", func(c *mxtest.Cluster) { c.Primary(0).SetLimits(mxtest.Limits{MessageSize: 1000}) }, nil,
		func(m *mxsend.Message) { m.Content = []byte(mail + strings.Repeat("Hello\r\n", 1000)) }, mxsend.ErrLacksExtension, "ErrLacksExtension",
		"Raise `message_size_limit` on the relays, or link to what is large."},
	{"In the course of sending", "in doubt", func(c *mxtest.Cluster) { c.Primary(0).Inject(mxtest.CutAfterDot(true)) }, nil, nil, mxsend.ErrInDoubt, "ErrInDoubt",
		"The relay may have it. Look into its log before sending again, or choose `InDoubtResend` ([limits.md](limits.md))."},
	{"In the course of sending", "slow", func(c *mxtest.Cluster) {
		c.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Stall, At: mxtest.AtMail, Times: mxtest.Always})
	}, nil, nil, context.DeadlineExceeded, "context.DeadlineExceeded",
		"The context had nine seconds. The text says what was waited for; the relay took nothing of this message."},
	{"In the course of sending", "later", faultOf(mxtest.Answer, mxtest.AtRcpt, "452 4.3.1 Insufficient system storage"), nil, nil, mxsend.ErrDeferred, "ErrDeferred",
		"It was tried until the context ended, and may be sent again at any time."},
}

// TestTroubleshooting provokes every trouble, and holds troubleshooting.md to what the errors say.
func TestTroubleshooting(t *testing.T) {
	var page strings.Builder
	page.WriteString(`# From the error to its remedy

` + "`Client.Check` finds most of these before the first mail; `go run ./examples/preflight` shows how." + ` The texts are those of a relay named
p1.mail.test; a test provokes each of them and writes this page.

`)
	section := ""
	for _, tr := range troubles {
		t.Run(tr.section+"/"+tr.name, func(t *testing.T) {
			text := provoke(t, tr)
			if tr.section != section {
				if section != "" {
					page.WriteString("\n")
				}
				section = tr.section
				page.WriteString("## " + section + "\n\n| the error says | `errors.Is` | what to do |\n|---|---|---|\n")
			}
			cell := strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;")
			fmt.Fprintf(&page, "| %s | %s | %s |\n", cell.Replace(text), tr.isName, tr.remedy)
		})
	}
	got := page.String()
	const name = "troubleshooting.md"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for _, line := range gotLines {
			if !slices.Contains(wantLines, line) {
				t.Errorf("not in %s: %s", name, line)
			}
		}
		t.Errorf("the errors say something else than %s; if that is meant: go test ./examples/cookbook -run Troubleshooting -update", name)
	}
}

// provoke returns what the error says.
func provoke(t *testing.T, tr trouble) (text string) {
	synctest.Test(t, func(t *testing.T) {
		cfg := mxtest.Config{Memory: true, Primaries: 1}
		if tr.name == "wrong password" {
			cfg.Users = map[string]string{"shop": "secret"}
		}
		cluster := mxtest.NewCluster(t, cfg)
		if tr.world != nil {
			tr.world(cluster)
		}
		client := newClient(t, cluster, func(cfg *mxsend.Config) {
			cfg.Resolver = mxsend.NewResolverVia(cluster.Dial, cluster.DNSAddr())
			cfg.Logger = slog.New(slog.DiscardHandler)
			if tr.config != nil {
				tr.config(cfg)
			}
		})
		m := passwordMail("jane")
		if tr.message != nil {
			tr.message(m)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second) // no limit of the Client is at the same moment
		defer cancel()
		_, err := client.Send(ctx, m)
		if !errors.Is(err, tr.is) {
			t.Fatalf("got %v, want %v", err, tr.is)
		}
		text = err.Error()
	})
	return text
}
