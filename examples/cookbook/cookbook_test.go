// Package cookbook holds the code of the cookbook's pages, so that it compiles, runs, and is what the pages say.
package cookbook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/examples/internal/snippets"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// TestPages holds every snippet of every page against the code here, and the index against the pages.
func TestPages(t *testing.T) {
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if page != "README.md" && !strings.Contains(string(index), "("+page+")") {
			t.Errorf("README.md does not list %s", page)
		}
		if strings.Contains(string(text), "```go\n") {
			snippets.Check(t, page)
		}
	}
}

// newClient returns a Client for the relays of a cluster, as an application has one for its own relays.
func newClient(t *testing.T, cluster *mxtest.Cluster, change func(*mxsend.Config)) *mxsend.Client {
	t.Helper()
	cfg := mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()),
		Dial: cluster.Dial, TLSConfig: cluster.TLSConfig(), LocalName: "app.example.com",
	}
	if change != nil {
		change(&cfg)
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

const mail = "From: Shop <shop@example.com>\r\nTo: jane@example.net\r\nSubject: Hello\r\n\r\nHello\r\n"
