package stream

import (
	"testing"
	"time"
)

// A write may wait for its timeout again and again, but a second for each KiB
// that has gone out is all that comes to it.
func TestAllowance(t *testing.T) {
	const timeout = 10 * time.Second
	for _, c := range []struct {
		written int
		elapsed time.Duration
		want    time.Duration
	}{
		{0, 0, timeout},
		{1 << 20, 0, timeout},
		{0, 4 * time.Second, 6 * time.Second},
		{4 << 10, 4 * time.Second, timeout},
		{4<<10 - 1, 4 * time.Second, 9 * time.Second},
		{60 << 10, 65 * time.Second, 5 * time.Second},
		{60 << 10, 71 * time.Second, -time.Second},
		{1 << 30, time.Hour, timeout},
	} {
		if got := allowance(timeout, c.written, c.elapsed); got != c.want {
			t.Errorf("%d bytes in %v: %v, want %v", c.written, c.elapsed, got, c.want)
		}
		if got := allowance(Forever, c.written, c.elapsed); got != Forever {
			t.Errorf("%d bytes in %v, without a timeout: %v", c.written, c.elapsed, got)
		}
	}
}
