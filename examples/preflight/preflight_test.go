package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
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
		mxsend.CheckResult
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
		{"return path", []string{domain, "-return-path=b@shop.test"}, exitUsage, "ReturnPathDomains"},
		{"second return path", []string{domain, "-return-path=b.shop.test,nowhere"}, exitUsage, "nowhere"},
		{"name server", []string{domain, "-nameserver=ns.test"}, exitUsage, "ns.test"},
		{"public name server", []string{domain, "-public-nameserver=ns.test"}, exitUsage, "Check.NameServers"},
		{"no such CA", []string{domain, "-ca=none.pem"}, exitUsage, "none.pem"},
		{"no certificate", []string{domain, "-ca=" + file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"})), 0o600)}, exitUsage, "no certificate"},
		{"user without password", []string{domain, "-user=app"}, exitUsage, "go together"},
		{"empty password", []string{domain, "-user=app", "-password-file=" + file("empty", "\nsecret", 0o600)}, exitUsage, "first line"},
		{"half a signer", []string{domain, "-selector=s1"}, exitUsage, "go together"},
		{"no key", []string{domain, "-dkim-domain=shop.test", "-selector=s1", "-key=none.pem"}, exitUsage, "none.pem"},
		{"a key too many", []string{domain, "-dkim-domain=shop.test", "-selector=s1", "-key=" + good, "-key=" + good}, exitUsage, "2 -key but 1 -selector"},
		{"a domain too many", []string{domain, "-dkim-domain=shop.test", "-dkim-domain=news.test", "-selector=s1", "-key=" + good}, exitUsage, "2 -dkim-domain for 1 -key"},
		{"second key", []string{domain, "-dkim-domain=shop.test", "-selector=s1", "-key=" + good, "-selector=s2", "-key=none.pem"}, exitUsage, "none.pem"},
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

// What is asked for is what the keys and return paths are for.
func TestSeveral(t *testing.T) {
	dir := t.TempDir()
	var args []string
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	publish := func(domain, selector string, a dkim.Algorithm) {
		key, err := dkim.GenerateKey(a)
		if err != nil {
			t.Fatal(err)
		}
		text, err := dkim.MarshalKey(key)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, selector+domain)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		record, err := dkim.Record(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		cluster.DNS().SetTXT(selector+"._domainkey."+domain, record)
		args = append(args, "-dkim-domain="+domain, "-selector="+selector, "-key="+path)
	}
	publish("shop.test", "r1", dkim.RSA2048)
	publish("shop.test", "e1", dkim.Ed25519)
	publish("news.test", "r2", dkim.RSA2048)
	oneDomain := slices.DeleteFunc(slices.Clone(args[:6]), func(arg string) bool { return strings.HasPrefix(arg, "-dkim-domain") })
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"keys of one domain", append(oneDomain, "-dkim-domain=shop.test", "-from=shop.test"),
			[]string{"ok signer r1._domainkey.shop.test", "ok signer e1._domainkey.shop.test", "ok alignment shop.test"}},
		{"keys of two domains", append(slices.Clone(args), "-from=shop.test,news.test"),
			[]string{"ok signer r1._domainkey.shop.test", "ok signer e1._domainkey.shop.test", "ok signer r2._domainkey.news.test", "ok alignment shop.test", "ok alignment news.test"}},
		{"return paths", []string{"-return-path=b.shop.test, t.shop.test", "-return-path=n.shop.test"},
			[]string{"error return path b.shop.test", "error return path t.shop.test", "error return path n.shop.test"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, err := parse(append(tc.args, "-domain="+cluster.Domain(), "-nameserver="+cluster.DNSAddr(), "-public-nameserver="+cluster.DNSAddr(), "-json"), os.Stderr)
			if err != nil {
				t.Fatal(err)
			}
			o.config.Dial, o.config.TLSConfig = cluster.Dial, cluster.TLSConfig()
			var stdout, stderr bytes.Buffer
			o.check(t.Context(), &stdout, &stderr)
			var result mxsend.CheckResult
			if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
				t.Fatal(err, &stderr)
			}
			var got []string
			for _, f := range result.Findings {
				switch f.Topic {
				case mxsend.TopicSigner, mxsend.TopicReturnPath, mxsend.TopicAlignment:
					if f.Subject != "Config.Signer" {
						got = append(got, f.Severity.String()+" "+string(f.Topic)+" "+f.Subject)
					}
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
		})
	}
}
