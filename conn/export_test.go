package conn

import "testing"

// RaceEnabled tells the tests that they run under the race detector.
const RaceEnabled = raceEnabled

func init() { poison = true }

// Unpoisoned keeps what poison costs out of a benchmark.
func Unpoisoned(b *testing.B) {
	poison = false
	b.Cleanup(func() { poison = true })
}
