package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	natsadapter "github.com/parleyws/parley/adapters/nats"
)

// A log is what the server writes its log to. What the server says of its connections with
// other nodes is all that is passed on, besides warnings and errors, each once. It is also
// how this node learns at once that another one has come or gone: the adapter then asks
// who is there.
type log struct {
	to      *slog.Logger
	lost    atomic.Int64          // connections with other nodes
	failure atomic.Pointer[error] // nil: none

	mu      sync.Mutex
	adapter *natsadapter.Broker // nil: not yet, or not any more
	timer   *time.Timer
	turn    int // in askTimes
	told    map[string]bool
}

// askTimes are when the adapter asks after the log has told of a change: the server writes
// its log before it has done what it says.
var askTimes = []time.Duration{2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond}

// maxTold is how many warnings are remembered.
const maxTold = 100

func newLog(to *slog.Logger) *log { return &log{to: to, told: make(map[string]bool)} }

// watch makes l tell a of changes, from now on.
func (l *log) watch(a *natsadapter.Broker) {
	l.mu.Lock()
	l.adapter = a
	l.mu.Unlock()
	l.changed()
}

// close makes l tell nobody any more.
func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adapter = nil
	if l.timer != nil {
		l.timer.Stop()
	}
}

// changed makes the adapter ask who is there, several times.
func (l *log) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.told)
	if l.adapter == nil {
		return
	}
	l.turn = 0
	if l.timer == nil {
		l.timer = time.AfterFunc(askTimes[0], l.ask)
	} else {
		l.timer.Reset(askTimes[0])
	}
}

// ask makes the adapter ask.
func (l *log) ask() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.adapter == nil {
		return
	}
	l.adapter.Probe()
	if l.turn++; l.turn < len(askTimes) {
		l.timer.Reset(askTimes[l.turn])
	}
}

// Noticef implements server.Logger.
func (l *log) Noticef(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	switch {
	case strings.Contains(text, "Route connection created"):
		l.to.Info("socket.io: connected with another node", "server", text)
		l.changed()
	case strings.Contains(text, "Router connection closed"):
		l.mu.Lock()
		open := l.adapter != nil
		l.mu.Unlock()
		if open && wasRoute(text) {
			l.lost.Add(1)
			l.to.Warn("socket.io: connection with another node has ended", "server", text)
		}
		l.changed()
	}
}

// wasRoute reports whether a connection that has ended was in use. When two nodes dial each
// other at once there are two connections; the node that finds the second one closes it as a
// duplicate, often before the other node knows who is at its end.
func wasRoute(closed string) bool {
	return strings.Contains(closed, "Remote: ") && !strings.Contains(closed, "Duplicate Route")
}

// Warnf implements server.Logger.
func (l *log) Warnf(format string, v ...any) { l.warn(fmt.Sprintf(format, v...)) }

// Errorf implements server.Logger.
func (l *log) Errorf(format string, v ...any) { l.warn(fmt.Sprintf(format, v...)) }

// Fatalf implements server.Logger.
func (l *log) Fatalf(format string, v ...any) {
	err := fmt.Errorf("embedded: "+format, v...)
	l.failure.CompareAndSwap(nil, &err)
}

// fatal returns the first error that keeps the server from working.
func (l *log) fatal() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Debugf implements server.Logger.
func (l *log) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *log) Tracef(string, ...any) {}

// warn passes on a text, unless that was done since the last change. What the server says
// before the adapter is there is about options, which are ours.
func (l *log) warn(text string) {
	l.mu.Lock()
	fresh := l.adapter != nil && !l.told[text] && len(l.told) < maxTold
	if fresh {
		l.told[text] = true
	}
	l.mu.Unlock()
	if fresh {
		l.to.Warn("socket.io: NATS server", "server", text)
	}
}
