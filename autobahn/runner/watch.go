package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// stallTime is how long the suite may be silent. By its own account its longest case
// may take 480 s.
const stallTime = 10 * time.Minute

// progressTime is the least time between two lines of progress.
const progressTime = 5 * time.Second

// The lines of wstest's output that matter: its version, the number of cases, and each
// case whose handshake is done.
var (
	versionLine = regexp.MustCompile(`^Autobahn (?:WebSocket |Fuzzing WebSocket Client \(Autobahn Testsuite Version )([\w.]+)`)
	plannedLine = regexp.MustCompile(`^Ok, will run (\d+) test cases`)
	caseLine    = regexp.MustCompile(`^Running test case ID ([\d.]+) `)
)

// A watch reads the output of wstest. It writes the output to a log, shows the
// progress, and ends the run if nothing moves. It is an io.Writer for one process.
type watch struct {
	log     io.Writer // written to by several processes
	out     io.Writer
	role    role
	place   map[string]int // number of each planned case, from 1
	cancel  context.CancelCauseFunc
	stall   *time.Timer
	started time.Time
	live    bool          // out is a terminal
	up      chan struct{} // closed when wstest has printed the number of cases, or has ended

	mu      sync.Mutex
	partial []byte // the beginning of an incomplete line
	suite   string // version of the suite
	isUp    bool
	shown   time.Time
	waiting string // progress that is not shown yet
}

func newWatch(t *trial, log io.Writer, cancel context.CancelCauseFunc) *watch {
	w := &watch{
		log:     log,
		out:     t.out,
		role:    t.role,
		place:   make(map[string]int, len(t.cases)),
		cancel:  cancel,
		started: time.Now(),
		up:      make(chan struct{}),
	}
	for i, id := range t.cases {
		w.place[id] = i + 1
	}
	if f, ok := t.out.(*os.File); ok {
		info, err := f.Stat()
		w.live = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	w.stall = time.AfterFunc(stallTime, func() {
		cancel(fmt.Errorf("nothing has moved for %v", stallTime))
	})
	return w
}

// stop ends the watch and shows the progress that is not shown yet.
func (w *watch) stop() {
	w.stall.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.show(true)
	if w.live {
		fmt.Fprintln(w.out)
	}
}

// version returns the version of the suite, as printed by wstest.
func (w *watch) version() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.suite
}

// ready waits until wstest has printed the number of cases. It returns an error if
// wstest ends before.
func (w *watch) ready(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.up:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isUp {
		return errors.New("wstest has ended before it did anything")
	}
	return nil
}

// ended is called when wstest has ended.
func (w *watch) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isUp {
		close(w.up)
	}
}

// Write takes output of wstest.
func (w *watch) Write(p []byte) (int, error) {
	w.stall.Reset(stallTime)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		line, rest, ended := bytes.Cut(w.partial, []byte{'\n'})
		if !ended {
			break
		}
		w.read(line)
		w.partial = rest
	}
	return w.log.Write(p)
}

// read reads one line. If the line announces another number of cases than planned, it
// ends the run.
func (w *watch) read(line []byte) {
	switch {
	case versionLine.Match(line):
		w.suite = string(versionLine.FindSubmatch(line)[1])
	case plannedLine.Match(line):
		if n := string(plannedLine.FindSubmatch(line)[1]); n != strconv.Itoa(len(w.place)) {
			w.cancel(fmt.Errorf("%d cases are planned, wstest knows %s of them", len(w.place), n))
		}
		if !w.isUp {
			w.isUp = true
			close(w.up)
		}
	case caseLine.Match(line):
		id := string(caseLine.FindSubmatch(line)[1])
		w.waiting = fmt.Sprintf("%s: case %d of %d (%s), %v", w.role, w.place[id], len(w.place), id,
			time.Since(w.started).Round(time.Second))
		w.show(w.live)
	}
}

// show shows the progress. On a terminal it overwrites one line, elsewhere it prints
// new lines.
func (w *watch) show(now bool) {
	if w.waiting == "" || !now && time.Since(w.shown) < progressTime {
		return
	}
	if w.live {
		fmt.Fprintf(w.out, "\r%s\x1b[K", w.waiting)
	} else {
		fmt.Fprintln(w.out, w.waiting)
	}
	w.waiting, w.shown = "", time.Now()
}
