package outbox

import (
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// onBoth runs a test on a new database of either system.
func onBoth(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "outbox.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresURL(t)) })
}

func TestManyMigrateAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s, err := openStore(t.Context(), database, time.Second)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.close()
				if err := s.migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}
