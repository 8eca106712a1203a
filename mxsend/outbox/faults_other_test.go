//go:build !linux

package outbox

import "testing"

func testInputOutputError(t *testing.T) { t.Skip("needs Linux") }

func testFullDisk(t *testing.T) { t.Skip("needs Linux") }
