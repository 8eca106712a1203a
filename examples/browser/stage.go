package browser

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/examples/internal/desk"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

// A Stage is a cluster with its desk and a client that sends through it.
type Stage struct {
	Cluster *mxtest.Cluster
	Desk    *desk.Desk
	Client  *mxsend.Client

	codec *verp.Codec
}

// StageOptions say how a stage is set. The zero value is a quick cluster.
type StageOptions struct {
	Accept time.Duration // what a relay takes for a mail; zero: no time
}

// NewStage starts a cluster, its desk and a client.
func NewStage(o StageOptions) (*Stage, error) {
	s := &Stage{}
	var err error
	if s.codec, err = verp.New(verp.Config{Prefix: "b", Domain: "bounce.shop.test", Keys: []verp.Key{{ID: 1, Secret: []byte(strings.Repeat("s", 32))}}}); err != nil {
		return nil, err
	}
	if s.Cluster, err = mxtest.Start(mxtest.Config{Limits: mxtest.Limits{Connections: 100, Accept: o.Accept}}); err != nil {
		return nil, err
	}
	if s.Desk, err = desk.New(s.Cluster, desk.Options{VERP: s.codec}); err != nil {
		s.Cluster.Close()
		return nil, err
	}
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Cluster.DNS().SetTXT("s1._domainkey.shop.test", record)
	signer, err := dkim.NewSigner(dkim.Config{Domain: "shop.test", Keys: []dkim.Key{{Selector: "s1", Signer: key}}})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Client, err = mxsend.New(mxsend.Config{
		Domain: s.Cluster.Domain(), Resolver: mxsend.NewResolver(s.Cluster.DNSAddr()), Dial: s.Cluster.Dial, TLSConfig: s.Cluster.TLSConfig(), Signer: signer,
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the stage.
func (s *Stage) Close() error {
	if s.Client != nil {
		s.Client.Close()
	}
	s.Desk.Close()
	return s.Cluster.Close()
}

// Destinations sets destinations that misbehave.
func (s *Stage) Destinations() {
	c := s.Cluster
	c.Destination("example.test")
	c.Destination("grey.test").Greylist(time.Minute)
	c.Destination("full.test").Reject(mxtest.AtRcpt, "452 4.2.2 mailbox full")
	c.Destination("unknown.test").Reject(mxtest.AtRcpt, "550 5.1.1 no such user")
	c.Destination("slow.test").Tarpit(3 * time.Second)
}

// pixel is a small picture in the mails.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAFElEQVR4nGMQC9yFBzGMSmOTBgAnVIUBVsmcGwAAAABJRU5ErkJggg=="

// Order is a mail of a shop, with text, HTML, a picture and an attachment.
func (s *Stage) Order(n int, to string) (*mxsend.Message, error) {
	path, err := s.codec.Encode(verp.FromUint64(uint64(n)))
	if err != nil {
		return nil, err
	}
	content := fmt.Sprintf(`From: The Shop <orders@shop.test>
To: %[2]s
Subject: Your order %[1]d is on its way
Date: %[3]s
Message-ID: <order-%[1]d@shop.test>
List-Unsubscribe: <https://shop.test/stop/%[1]d>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=mixed

--mixed
Content-Type: multipart/related; boundary=related

--related
Content-Type: multipart/alternative; boundary=alternative

--alternative
Content-Type: text/plain; charset=utf-8

Hello,

your order %[1]d has left our house: https://shop.test/track/%[1]d

The Shop
--alternative
Content-Type: text/html; charset=utf-8

<style>body { font: 16px/1.6 sans-serif; margin: 2rem; color: #222 } a { color: #1554c0 } h1 { font-size: 1.4rem }</style>
<p><img src="cid:logo@shop.test" width="40" height="40" alt=""></p>
<h1>Your order %[1]d is on its way</h1>
<p>Hello,</p><p>your order has left our house. <a href="https://shop.test/track/%[1]d">Track it</a>.</p><p>The Shop</p>
--alternative--
--related
Content-Type: image/png
Content-Disposition: inline; filename=logo.png
Content-Transfer-Encoding: base64
Content-ID: <logo@shop.test>

%[4]s
--related--
--mixed
Content-Type: application/pdf
Content-Disposition: attachment; filename="invoice-%[1]d.pdf"
Content-Transfer-Encoding: base64

%[5]s
--mixed--
`, n, to, time.Now().Format(time.RFC1123Z), pixel, base64.StdEncoding.EncodeToString([]byte("%PDF-1.4 of the invoice")))
	return &mxsend.Message{ReturnPath: path, Recipients: []string{to}, Content: []byte(content)}, nil
}

// Play sends about that many mails a second, for a time, to destinations of all kinds; in the middle one relay is off.
func (s *Stage) Play(ctx context.Context, rate int, d time.Duration) error {
	domains := slices.Concat(slices.Repeat([]string{"example.test"}, 40), slices.Repeat([]string{"example.org"}, 20),
		[]string{"grey.test", "grey.test", "unknown.test", "slow.test", "full.test"})
	began := time.Now()
	var bad error
	messages := func(yield func(*mxsend.Message) bool) {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := 4711; time.Since(began) < d && ctx.Err() == nil; n++ {
			switch part := time.Since(began) * 10 / d; {
			case part == 5:
				s.Cluster.Primary(1).Stop()
			case part >= 7:
				s.Cluster.Primary(1).Start()
			}
			m, err := s.Order(n, fmt.Sprintf("customer%d@%s", n, domains[n%len(domains)]))
			if err != nil {
				bad = err
				return
			}
			if !yield(m) {
				return
			}
			<-tick.C
		}
	}
	for result := range s.Client.SendAll(ctx, messages) {
		for _, r := range result.Receipt.Recipients {
			if r.Outcome != mxsend.Accepted {
				bad = errors.Join(bad, fmt.Errorf("%s: %w", r.Outcome, r.Err))
			}
		}
	}
	return bad
}

// Find is the queue id of a mail in a place.
func (s *Stage) Find(place mxtest.Place) (string, error) {
	found := s.Cluster.Ledger().Search(mxtest.Query{Place: place, Limit: 1})
	if len(found) == 0 {
		return "", fmt.Errorf("no mail is %v", place)
	}
	return found[0].QueueID, nil
}
