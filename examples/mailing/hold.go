package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

var errDisagree = errors.New("the database and the relays disagree")

// hold compares, recipient by recipient, what the database says with what the relays have.
func hold(ctx context.Context, b *outbox.Box, cluster *mxtest.Cluster, name string, w io.Writer) error {
	took := map[string]int{}
	for _, mail := range cluster.Ledger().Mails() {
		for _, r := range mail.Recipients {
			took[r.Address]++
		}
	}
	wrong, duplicates, lost, bounced := 0, 0, 0, 0
	for r, err := range b.Recipients(ctx, name, outbox.Filter{}) {
		if err != nil {
			return err
		}
		n := took[r.Address]
		if r.Outcome != outbox.Accepted && r.Outcome != outbox.InDoubt || r.Outcome == outbox.Accepted && n == 0 {
			wrong++
		}
		if n > 1 {
			duplicates += n - 1
		}
		if r.Outcome == outbox.InDoubt && n == 0 {
			lost++
		}
		if r.Returned == bounce.Failed {
			bounced++
		}
	}
	s, err := b.Status(ctx, name)
	if err != nil {
		return err
	}
	show(w, s)
	counts := cluster.Ledger().Counts()
	fmt.Fprintf(w, "the relays: %d accepted, %d of them twice; %d notifications handed over\n", counts.Accepted, counts.Duplicates, counts.NotificationsDelivered)
	fmt.Fprintf(w, "held against each other: %d recipients disagree, %d were sent to twice; in doubt because of the kill: %d, of whom the relays have %d;\n"+
		"bounces recorded: %d of %d\n", wrong, duplicates, s.Outcomes[outbox.InDoubt], s.Outcomes[outbox.InDoubt]-int64(lost), bounced, counts.NotificationsDelivered)
	if wrong > 0 || duplicates > 0 || bounced != counts.NotificationsDelivered {
		return errDisagree
	}
	return nil
}
