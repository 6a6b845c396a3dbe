package adaptertest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// goroutines returns the stacks of all goroutines, by their number.
func goroutines() map[string]string {
	b := make([]byte, 64<<10)
	for {
		n := runtime.Stack(b, true)
		if n < len(b) {
			b = b[:n]
			break
		}
		b = make([]byte, 2*len(b))
	}
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(b), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		all[id] = stack
	}
	return all
}

// wantNoMore waits until there are no more goroutines than before. Those from before may
// have been replaced by others.
func wantNoMore(t *testing.T, before map[string]string, patience time.Duration) {
	t.Helper()
	eventually(t, patience, "the goroutines to end", func() error {
		now := goroutines()
		if len(now) <= len(before) {
			return nil
		}
		var more []string
		for id, stack := range now {
			if _, old := before[id]; !old {
				more = append(more, stack)
			}
		}
		return fmt.Errorf("there are %d, were %d; those that are new:\n\n%s", len(now), len(before), strings.Join(more, "\n\n"))
	})
}

// eventually waits until is returns nil, and fails the test with its last error if that
// takes too long.
func eventually(t *testing.T, patience time.Duration, what string, is func() error) {
	t.Helper()
	end := time.After(patience)
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}
