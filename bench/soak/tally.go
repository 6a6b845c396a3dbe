package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/bench/histogram"
)

// A tally is what all connections have seen together. Its methods may be called from any
// goroutine.
type tally struct {
	mu      sync.Mutex
	healthy Faults // of connections that nobody has hurt
	back    Faults // of clients that have come back, after that
	window  histogram.Histogram
	kinds   map[string]*kindTally
	reasons map[string]int // why healthy connections have ended or could not be opened, and the like
	counts  map[string]int // what was done to connections, and what has become of them
}

// A kindTally is what the connections of a kind have seen.
type kindTally struct {
	latency  histogram.Histogram
	messages int
}

func newTally() *tally {
	return &tally{kinds: make(map[string]*kindTally), reasons: make(map[string]int), counts: make(map[string]int)}
}

// message counts a message that has come as late as that.
func (t *tally) message(kind string, late time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[kind]
	if k == nil {
		k = new(kindTally)
		t.kinds[kind] = k
	}
	k.messages++
	k.latency.Add(int64(late), 1)
	t.window.Add(int64(late), 1)
}

// faults adds what was found since.
func (t *tally) faults(back bool, f Faults) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if back {
		t.back = t.back.plus(f)
	} else {
		t.healthy = t.healthy.plus(f)
	}
}

// wrong counts something that may not happen to a healthy connection, and prints the first of
// its kind.
func (t *tally) wrong(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reasons[reason] == 0 {
		fmt.Println("wrong:", reason)
	}
	t.reasons[reason]++
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// cut returns the latencies since the last call.
func (t *tally) cut() histogram.Histogram {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { t.window = histogram.Histogram{} }()
	return t.window
}

func (t *tally) found() (healthy, back Faults, wrong int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.reasons {
		wrong += n
	}
	return t.healthy, t.back, wrong
}

// sorted returns the keys of a map in their order.
func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
