package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func TestDemo(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-demo"}, &stdout, &stderr); status != exitErrors || stderr.Len() > 0 {
		t.Errorf("status %d, %s", status, &stderr)
	}
	for _, want := range []string{"certificate has expired", "add ip4:192.0.2.22 to the SPF record",
		"has the name out-g1.shop.test, which has the address", "has no name", "not ready to send (errors: 3, warnings: 0)"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("want %q in\n%s", want, &stdout)
		}
	}
	stdout.Reset()
	if status := run(t.Context(), []string{"-demo", "-json"}, &stdout, &stderr); status != exitErrors {
		t.Errorf("status %d, %s", status, &stderr)
	}
	var got struct {
		OK *bool `json:"ok"`
		mxsend.Preflight
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got.OK == nil || *got.OK || len(got.Errors()) != 3 {
		t.Errorf("%v: got %s", err, &stdout)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*mxtest.Cluster)
		status int
		want   string
	}{
		{"well", func(*mxtest.Cluster) {}, exitOK, "ready to send (errors: 0"},
		{"a relay is down", func(c *mxtest.Cluster) { c.Primary(0).Stop() }, exitErrors, "not ready to send (errors: 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cluster := mxtest.NewCluster(t, mxtest.Config{})
			tc.change(cluster)
			o, err := parse([]string{"-domain", cluster.Domain(), "-nameserver", cluster.DNSAddr()}, os.Stderr)
			if err != nil {
				t.Fatal(err)
			}
			o.config.Dial, o.config.TLSConfig = cluster.Dial, cluster.TLSConfig()
			var stdout, stderr bytes.Buffer
			if status := o.check(t.Context(), &stdout, &stderr); status != tc.status || !strings.Contains(stdout.String(), tc.want) {
				t.Errorf("status %d, want %d and %q:\n%s%s", status, tc.status, tc.want, &stdout, &stderr)
			}
		})
	}
	t.Run("cut short", func(t *testing.T) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		o, err := parse([]string{"-domain", cluster.Domain(), "-nameserver", cluster.DNSAddr()}, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		if status := o.check(ctx, &stdout, &stderr); status != exitErrors || !strings.Contains(stderr.String(), "canceled") {
			t.Errorf("status %d\n%s%s", status, &stdout, &stderr)
		}
	})
}

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	text, err := dkim.MarshalKey(key)
	if err != nil {
		t.Fatal(err)
	}
	good := file("key.pem", string(text), 0o600)
	const domain = "-domain=relays.test"
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"help", []string{"-h"}, exitOK, "-outbound"},
		{"nothing", nil, exitUsage, "give -domain, or -demo"},
		{"both", []string{domain, "-demo"}, exitUsage, "leave out -domain"},
		{"an argument", []string{domain, "now"}, exitUsage, "flags only"},
		{"unknown flag", []string{"-quick"}, exitUsage, "-quick"},
		{"no time", []string{domain, "-timeout=0s"}, exitUsage, "-timeout"},
		{"policy", []string{domain, "-tls=perhaps"}, exitUsage, "opportunistic"},
		{"weight", []string{domain, "-weight=p1"}, exitUsage, "host=weight"},
		{"outbound", []string{domain, "-outbound=192.0.2.1,p1.test"}, exitUsage, `"p1.test" is no IP address`},
		{"from", []string{domain, "-from=shop.test,ann@shop.test"}, exitUsage, "want a domain, not an address"},
		{"return path", []string{domain, "-return-path=b@shop.test"}, exitUsage, "ReturnPathDomain"},
		{"name server", []string{domain, "-nameserver=ns.test"}, exitUsage, "ns.test"},
		{"public name server", []string{domain, "-public-nameserver=ns.test"}, exitUsage, "Check.NameServers"},
		{"no such CA", []string{domain, "-ca=none.pem"}, exitUsage, "none.pem"},
		{"no certificate", []string{domain, "-ca=" + file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"})), 0o600)}, exitUsage, "no certificate"},
		{"user without password", []string{domain, "-user=app"}, exitUsage, "go together"},
		{"empty password", []string{domain, "-user=app", "-password-file=" + file("empty", "\nsecret", 0o600)}, exitUsage, "first line"},
		{"half a signer", []string{domain, "-selector=s1"}, exitUsage, "go together"},
		{"no key", []string{domain, "-dkim-domain=shop.test", "-selector=s1", "-key=none.pem"}, exitUsage, "none.pem"},
		{"selector", []string{domain, "-dkim-domain=shop.test", "-selector=s 1", "-key=" + good}, exitUsage, "s 1"},
		{"two at once", []string{"-selector=s1"}, exitUsage, "-domain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), tc.args, &stdout, &stderr)
			if status != tc.status || !strings.Contains(stderr.String(), tc.want) || stdout.Len() > 0 {
				t.Errorf("status %d, want %d and %q:\n%s", status, tc.status, tc.want, &stderr)
			}
			if strings.Contains(stderr.String(), "secret") {
				t.Errorf("a secret in %s", &stderr)
			}
		})
	}
	o, err := parse([]string{domain, "-bulk=bulk.test", "-tls=implicit", "-port=465", "-weight=p1.test=3", "-weight=p2.test=0", "-dkim-domain=shop.test", "-selector=s1", "-key=" + good,
		"-from=shop.test, news.test", "-outbound=192.0.2.1,2001:db8::1", "-outbound=192.0.2.2", "-user=app", "-password-file=" + file("password", "open sesame\r\n", 0o600)}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if len(c.Check.OutboundIPs) != 3 || len(c.Check.FromDomains) != 2 || c.Check.FromDomains[1] != "news.test" || c.TLS != mxsend.TLSImplicit ||
		c.Weights["p1.test"] != 3 || len(c.Weights) != 2 || c.Signer == nil || c.Bulk.Domain != "bulk.test" || c.Port != 465 {
		t.Errorf("got %+v", c.Check)
	}
	if _, response, err := c.Auth().Start(); err != nil || string(response) != "\x00app\x00open sesame" {
		t.Errorf("AUTH sends %q, %v", response, err)
	}
}
