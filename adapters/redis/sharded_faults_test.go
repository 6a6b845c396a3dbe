package redisadapter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
)

// numbered reads numbered events up to "end" and returns how many have come, in order and
// none twice.
func (u *user) numbered() (came int) {
	u.t.Helper()
	last := -1
	for {
		select {
		case got := <-u.events:
			if got == "end" {
				return came
			}
			var i int
			if _, err := fmt.Sscanf(got, "n %d", &i); err != nil || i <= last {
				u.t.Fatalf("%q after %d", got, last)
			}
			last = i
			came++
		case <-time.After(patience):
			u.t.Fatalf("nothing after %d", last)
		}
	}
}
