// Lanes measures what a mailing costs transactional mail, in the application and in the relays.
//
// In the application: the time that Send takes on idle relays, and while a signed mailing keeps both relays as busy as they
// can be: for mail in ASCII, 8-bit mail, SMTPUTF8 mail, and mail that one relay defers. The relays are mxtest's, over TCP on
// loopback, and take 5 ms to answer each final dot.
//
// In the relays: how long after its acceptance a transactional mail reaches its destination while the mailing is tried for
// the first time, by the model of Postfix in virtual time: relays shared without pacing, Bulk paced by LaneConfig.Rate, Bulk
// with a transport or relays of its own.
//
//	go run ./benchmarks/lanes             # three minutes
//	go run ./benchmarks/lanes -quick      # at most 20 s
//	go run ./benchmarks/lanes -json       # one object on standard output
//	go run ./benchmarks/lanes -plots DIR  # both delays, as SVG and PNG
package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
)

func main() { program.Main(newProgram()) }

// options are what is measured.
type options struct {
	service time.Duration
	pace    float64
}

func newProgram() program.Program {
	o := &options{}
	return program.Program{Name: "lanes", Quick: "shorter phases, a smaller mailing in the model", Flags: o.flags, Run: o.run}
}

func (o *options) flags(f *flag.FlagSet) {
	f.DurationVar(&o.service, "service", 5*time.Millisecond, "what a relay takes to answer a final dot")
	f.Float64Var(&o.pace, "pace", 200, "Bulk's rate where it is paced, in messages a second")
}

func (o *options) run(ctx context.Context, e *program.Env) error {
	if o.pace <= 0 {
		return program.Misuse("-pace %v: it must be above 0", o.pace)
	}
	if o.service < 0 {
		return program.Misuse("-service %v: it cannot be negative", o.service)
	}
	s := sending{service: o.service, rounds: 5, phase: 5 * time.Second, progress: e.Progress}
	d := delivering{pace: o.pace, recipients: 1_700_000, progress: e.Progress}
	if e.Quick {
		s.rounds, s.phase, d.recipients = 3, 700*time.Millisecond, 200_000
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	if err := d.simulate(ctx); err != nil {
		return err
	}
	r := e.Report()
	r.Reference = "the same on idle relays"
	return errors.Join(
		e.Table(s.report(r)), e.Table(d.report(r)),
		e.Plot("lanes-send", "How long Send of a transactional mail takes", s.plot),
		e.Plot("lanes-delivery", "Slowest delivery of transactional mail during the first pass of a mailing", d.plot))
}
