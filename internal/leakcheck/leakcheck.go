// Package leakcheck fails the tests of a package if they leave goroutines of this
// module running, and counts those of a bubble.
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

	patience = 5 * time.Second       // how long goroutines may take to end
	interval = 10 * time.Millisecond // how often to look
)

// Main runs the tests of m and exits the process. TestMain should call it. The
// exit code is that of the tests if they fail. It is 1 if they pass but leave
// goroutines that run code of this module or were started by it.
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

// Bubbled counts the goroutines of all bubbles of synctest, also those of synctest itself. After
// synctest.Wait it is exact, while runtime.NumGoroutine may still count some that have ended.
func Bubbled() int {
	n := 0
	for _, s := range stacks() {
		header, _, _ := strings.Cut(s, "\n")
		if strings.Contains(header, ", synctest bubble ") {
			n++
		}
	}
	return n
}

// leftover returns the stacks of all goroutines of this module except the calling
// one. It waits up to the given time until there are none.
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

// ours returns the stacks that mention this module. It leaves out the first one,
// which is the caller's, and the one that runs the tests.
func ours(stacks []string) []string {
	var left []string
	for _, s := range stacks[1:] {
		if strings.Contains(s, module) && !strings.Contains(s, "testing.(*M).Run(") {
			left = append(left, s)
		}
	}
	return left
}

// stacks returns the stacks of all goroutines. The first is that of the caller.
func stacks() []string {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
	}
}
