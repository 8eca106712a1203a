package mxtest_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

var update = flag.Bool("update", false, "write the golden notifications anew")

// The notifications octet by octet. That they are Postfix's is shown by benchmarks/postfix, where Postfix is at hand.
func TestGoldenNotifications(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   mxtest.Behaviour
		mail string // parameters of MAIL
		n    int    // which notification
	}{
		{"failed-550-from-primary", mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 <jane@x.test>: Recipient unknown"), " ENVID=m1-4711", 0},
		{"failed-headers-only", mxtest.Reject(mxtest.AtDot, "554 5.7.1 Message refused"), " RET=HDRS", 0},
		{"delayed-from-graveyard", mxtest.Reject(mxtest.AtRcpt, "451 4.7.1 Greylisted, come back later"), "", 0},
		{"expired-from-graveyard", mxtest.Refuse(), "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Relay: func(string) mxtest.RelayConfig {
					return mxtest.RelayConfig{DelayWarningTime: 4 * time.Hour}
				}})
				c.Destination("x.test").Script(mxtest.Rule{Do: tt.do})
				w := dialWire(t, c, c.Primary(0))
				w.say("EHLO app1.app.test\nMAIL FROM:<bounce+m1=jane=x.test@app.test>"+tt.mail+"\nRCPT TO:<jane@x.test>\nDATA\n", 5)
				w.say("From: Shop <shop@app.test>\nTo: jane@x.test\nSubject: Your order 4711\nMessage-ID: <1@app.test>\n\nHello,\nyour order is on its way.\n.\n", 1)
				w.conn.Close()
				time.Sleep(6 * 24 * time.Hour)
				got := c.Ledger().Notifications()[tt.n].Content
				file := filepath.Join("testdata", tt.name+".eml")
				if *update {
					if err := os.WriteFile(file, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != string(want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}
