// Relays runs the embedded test MTA for any SMTP client: two primaries and two graveyards on loopback ports, destinations that
// misbehave, and the desk, a web page on which one sees them work, reads every mail, and makes things go wrong.
//
//	go run ./examples/relays                                  # then open http://localhost:2580/
//	swaks --server 127.0.0.1:2525 --to jane@grey.test         # or telnet, or an application
//
// Commands on standard input: stop, start, hole, flush, wipe and log, each with a relay (p1, p2, g1, g2); dump; quit.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/command"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "relays:", err)
		stop()
		os.Exit(1)
	}
}

const about = `relays runs the embedded test MTA for any SMTP client: two primaries and two graveyards on loopback ports,
destinations that misbehave, a line of status whenever it changes, and the desk: a web page, and a JSON API.

  relays                                                and open http://localhost:2580/
  swaks --server 127.0.0.1:2525 --to jane@grey.test     in another terminal

` + commands + `

Exit status: 0, or 1 where it could not start.`

const commands = "Commands on standard input: stop, start, hole, flush, wipe or log with p1, p2, g1 or g2; dump; quit."

// The destinations that do not simply take the mail.
var scripted = []struct {
	domain, what string
	do           mxtest.Behaviour
}{
	{"unknown.test", "550 to every recipient", mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user")},
	{"full.test", "452 to every recipient", mxtest.Reject(mxtest.AtRcpt, "452 4.2.2 mailbox full")},
	{"grey.test", "greylists for 20 s", mxtest.Greylist(20 * time.Second)},
	{"down.test", "refuses connections", mxtest.Refuse()},
	{"silent.test", "takes connections and says nothing", mxtest.Silence()},
	{"slow.test", "takes 10 s for a mail", mxtest.Tarpit(10 * time.Second)},
	{"spam.test", "554 after the final dot", mxtest.Reject(mxtest.AtDot, "554 5.7.1 spam")},
	{"null.test", "has a null MX", mxtest.NullMX()},
	{"nowhere.test", "does not exist", mxtest.NXDomain()},
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("relays", flag.ContinueOnError)
	port := flags.Int("port", 2525, "loopback port of the first relay; the others follow")
	primary := flags.String("primary", "", "main.cf `file` of the primaries")
	graveyard := flags.String("graveyard", "", "main.cf `file` of the graveyards")
	var desk deskFlags
	desk.define(flags)
	if err := command.Parse(flags, args, about, stderr); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q: give flags only; -h lists them", flags.Arg(0))
	}
	cfgs, err := readConfigs(map[string]string{"p": *primary, "g": *graveyard})
	if err != nil {
		return err
	}
	c, err := mxtest.Start(mxtest.Config{
		FirstPort: *port, Transcripts: true, Limits: mxtest.Limits{Connections: 100},
		Relay: func(name string) mxtest.RelayConfig { return cfgs[name[:1]] },
	})
	if err != nil {
		return err
	}
	defer c.Close()
	for _, s := range scripted {
		c.Destination(s.domain).Script(mxtest.Rule{Do: s.do})
	}
	introduce(stdout, c)
	closeDesk, err := desk.open(c, stdout, stderr)
	if err != nil {
		return err
	}
	defer closeDesk()
	fmt.Fprintln(stdout, commands)

	lines := make(chan string)
	go func() {
		input := bufio.NewScanner(stdin)
		for input.Scan() {
			select {
			case lines <- input.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	last := ""
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return c.Ledger().Dump(stdout)
		case line := <-lines:
			if strings.TrimSpace(line) == "quit" {
				return c.Ledger().Dump(stdout)
			}
			fmt.Fprintln(stdout, obey(c, line))
		case <-tick.C:
			if s := status(c); s != last {
				fmt.Fprintln(stdout, s)
				last = s
			}
		}
	}
}

// readConfigs reads main.cf files, by the first letter of the relays they are for.
func readConfigs(files map[string]string) (map[string]mxtest.RelayConfig, error) {
	cfgs := map[string]mxtest.RelayConfig{}
	for letter, file := range files {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if cfgs[letter], err = mxtest.ParseMainCF(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return cfgs, nil
}

func introduce(w io.Writer, c *mxtest.Cluster) {
	fmt.Fprintf(w, "mail domain %s, DNS at %s\n", c.Domain(), c.DNSAddr())
	for _, r := range c.Relays() {
		fmt.Fprintf(w, "%s at %s\n", r.Name(), r.ListenAddr())
	}
	for _, s := range scripted {
		fmt.Fprintf(w, "%-13s %s\n", s.domain, s.what)
	}
	fmt.Fprintln(w, "every other domain takes its mail")
}

// status is the line that is printed when it changes.
func status(c *mxtest.Cluster) string {
	var s strings.Builder
	for _, r := range c.Relays() {
		q := r.Queues()
		fmt.Fprintf(&s, "%s %d sessions, %d/%d/%d  ", short(r), r.Sessions(), q.Incoming, q.Active, q.Deferred)
	}
	n := c.Ledger().Counts()
	fmt.Fprintf(&s, "accepted %d, delivered %d, bounced %d, deferred %d", n.Accepted, n.Delivered, n.Bounced, n.Deferred)
	return s.String()
}

func short(r *mxtest.Relay) string {
	name, _, _ := strings.Cut(r.Name(), ".")
	return name
}

// obey carries out a command, and says what it did.
func obey(c *mxtest.Cluster, line string) string {
	words := strings.Fields(line)
	if len(words) == 1 && words[0] == "dump" {
		var s strings.Builder
		c.Ledger().Dump(&s)
		return s.String()
	}
	if len(words) == 2 {
		for _, r := range c.Relays() {
			if short(r) != words[1] {
				continue
			}
			switch words[0] {
			case "stop":
				r.Stop()
			case "start":
				r.Start()
			case "hole":
				r.BlackHole()
			case "flush":
				r.Flush()
			case "wipe":
				r.Wipe()
			case "log":
				return strings.Join(r.Transcripts(), "\n")
			default:
				continue
			}
			return words[0] + " " + r.Name() + ": done"
		}
	}
	return fmt.Sprintf("%.100q is none. ", line) + commands
}
