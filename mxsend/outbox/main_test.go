package outbox

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mxsend/go-mxsend/internal/pgserver"
)

// The tests' Postgres is started by the first that needs it.
var (
	sharedPostgres = sync.OnceValues(func() (*pgserver.Server, error) { return pgserver.Start(context.Background(), false) })
	postgresUsed   atomic.Bool
	databaseNumber atomic.Int64
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		os.Exit(child(spec))
	}
	code := m.Run()
	if postgresUsed.Load() {
		if s, err := sharedPostgres(); err == nil {
			s.Close()
		}
	}
	os.Exit(code)
}

// postgresURL is that of a new database on the shared server.
func postgresURL(t testing.TB) string {
	t.Helper()
	postgresUsed.Store(true)
	s, err := sharedPostgres()
	if err != nil {
		t.Skip(err)
	}
	url, err := s.Create(t.Context(), fmt.Sprintf("test%d", databaseNumber.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return url
}
