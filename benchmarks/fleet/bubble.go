package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
)

// A plan says what happens in one bubble of virtual time.
type plan struct {
	Clients  int     `json:"clients"`
	Waiting  bool    `json:"waiting"`  // over the limit clients wait without a greeting; else the greeting is a 421
	Bulk     float64 `json:"bulk"`     // share of the clients that send a mailing without end
	Apart    bool    `json:"apart"`    // transactional mail has relays of its own
	Warm     seconds `json:"warm"`     // before anything is measured
	Window   seconds `json:"window"`   // that is measured
	Joiners  int     `json:"joiners"`  // that come after the window, each with a mailing
	Patience seconds `json:"patience"` // how long the joiners, or the clients after an outage, are waited for
	Outage   seconds `json:"outage"`   // of the first relay after the window; zero: none
	Single   bool    `json:"single"`   // each client sends one mail and is closed
}

// run has a process of its own carry out the plan.
func (p plan) run(ctx context.Context) (o outcome, err error) {
	words, err := json.Marshal(p)
	if err != nil {
		return o, err
	}
	cmd := exec.CommandContext(ctx, program.Self(), beBubble, string(words))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return o, fmt.Errorf("%w: %s%s", err, out.Bytes(), errs.Bytes())
	}
	// The outcome comes first; after it the testing package says PASS.
	return o, json.NewDecoder(&out).Decode(&o)
}

// bubble is the process that carries out a plan. Only a test can have a bubble, so it is one.
func bubble(args []string) error {
	if len(args) != 1 {
		return errors.New("a plan is wanted")
	}
	var p plan
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "fleet", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o, err := p.carryOut(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
				t.Fatal(err)
			}
		})
	}}}, nil, nil)
	return nil // testing.Main has ended the process
}
