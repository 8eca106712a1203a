package dkim

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// CheckRecords reports under the names of the records, and fits mxsend's RecordChecker.
func TestCheckRecords(t *testing.T) {
	record, err := Record(testKeys().rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(_ context.Context, name string) ([]string, error) {
		return map[string][]string{"r1._domainkey.example.org": {record}}[name], nil
	}
	rsaOnly := testSigner(t, func(cfg *Config) { cfg.Keys = cfg.Keys[:1] })
	edOnly := testSigner(t, func(cfg *Config) { cfg.Keys = cfg.Keys[1:] })
	elsewhere := testSigner(t, func(cfg *Config) { cfg.Domain, cfg.Keys = "example.net", cfg.Keys[:1] })
	type checker interface {
		CheckRecords(context.Context, func(context.Context, string) ([]string, error), func(severity, subject, text string)) error
	}
	for _, c := range []struct {
		name    string
		checker checker
		want    []string
	}{
		{"published", rsaOnly, []string{"ok r1._domainkey.example.org"}},
		{"about all, and missing", edOnly, []string{"warning example.org", "error e1._domainkey.example.org"}},
		{"by domain", ByDomain(rsaOnly, elsewhere), []string{"error r1._domainkey.example.net", "ok r1._domainkey.example.org"}},
		{"none", ByDomain(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			err := c.checker.CheckRecords(context.Background(), lookup, func(severity, subject, text string) {
				if text == "" {
					t.Errorf("nothing is said of %s", subject)
				}
				got = append(got, severity+" "+subject)
			})
			slices.Sort(got)
			slices.Sort(c.want)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = rsaOnly.CheckRecords(ctx, lookup, func(string, string, string) { t.Error("reported after its context's end") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
