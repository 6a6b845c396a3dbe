package conn

import (
	"context"
	"testing"
)

// RaceEnabled tells the tests that they run under the race detector.
const RaceEnabled = raceEnabled

// ServeContext returns what Server gives to Serve.
func ServeContext(c *Conn) context.Context { return connContext{c} }

func init() { poison = true }

// Unpoisoned keeps what poison costs out of a benchmark.
func Unpoisoned(b *testing.B) {
	poison = false
	b.Cleanup(func() { poison = true })
}
