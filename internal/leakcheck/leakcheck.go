// Package leakcheck fails the tests of a package that leave goroutines of ours
// behind.
package leakcheck

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	module = "github.com/parleyws/parley"

	patience = 5 * time.Second // for goroutines that are about to end
	interval = 10 * time.Millisecond
)

// Main runs the tests of m and exits the process: with their code if they
// failed, with 1 if they passed but goroutines are left that run code of this
// module or were started by it. To be called from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := leftover(patience); len(left) > 0 {
			fmt.Fprintf(os.Stderr, "leakcheck: %d goroutines left:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
			code = 1
		}
	}
	os.Exit(code)
}

// leftover returns the stacks of all goroutines of this module but the calling
// one. While there are some it looks again, until the time given is over.
func leftover(wait time.Duration) []string {
	end := time.After(wait)
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		left := ours(stacks())
		if len(left) == 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-end:
			return left
		}
	}
}

// ours returns the stacks that mention this module, less the first one, which
// is the caller's, and the one that runs the tests.
func ours(stacks []string) []string {
	var left []string
	for _, s := range stacks[1:] {
		if strings.Contains(s, module) && !strings.Contains(s, "testing.(*M).Run(") {
			left = append(left, s)
		}
	}
	return left
}

// stacks returns the stacks of all goroutines, the calling one first.
func stacks() []string {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
	}
}
