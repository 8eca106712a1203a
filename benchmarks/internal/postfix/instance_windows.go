package postfix

import (
	"errors"
	"time"
)

// An Instance is a running Postfix; there is none for Windows.
type Instance struct{ Address, Dir string }

// A Config says what differs from such an instance.
type Config struct {
	Main      []string
	Processes int
}

// ErrUnavailable is wrapped by errors of Start that say that this machine cannot
// run an instance at all.
var ErrUnavailable = errors.New("no Postfix instance can run here")

// Start returns ErrUnavailable.
func Start(Config) (*Instance, error) { return nil, ErrUnavailable }

// AwaitDelivered returns ErrUnavailable.
func (*Instance) AwaitDelivered(int, time.Duration) (int, error) { return 0, ErrUnavailable }

// Stop returns ErrUnavailable.
func (*Instance) Stop() error { return ErrUnavailable }
