package brokertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

const (
	patience = 30 * time.Second     // how long a broker may take for anything
	interval = 5 * time.Millisecond // how often to look
)

// A process is a program that runs for a test. Its methods are called by one goroutine
// at a time.
type process struct {
	t    testing.TB
	path string
	args []string
	log  *os.File // what it prints

	running *os.Process // nil: it doesn't run
	ended   chan struct{}
}

// start starts the program. Everything that is called after it may fail, since the program
// may end at once.
func (p *process) start() {
	p.t.Helper()
	if p.running != nil {
		p.t.Fatalf("brokertest: %s runs already", p.path)
	}
	started := make(chan error)
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		// The kernel sends Pdeathsig when the thread that has started the program ends:
		// keep the thread until the program has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c := exec.Command(p.path, p.args...)
		c.Stdout, c.Stderr, c.SysProcAttr = p.log, p.log, attributes()
		err := c.Start()
		if err == nil {
			p.running = c.Process
		}
		started <- err
		if err == nil {
			c.Wait()
		}
	}()
	if err := <-started; err != nil {
		p.t.Fatalf("brokertest: %v", err)
	}
}

// end sends the program a signal, if it runs, and waits for its end.
func (p *process) end(signal os.Signal) {
	p.t.Helper()
	if p.running == nil {
		return
	}
	p.running.Signal(signal)
	resume(p.running)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("brokertest: %s has not ended after %v:\n%s", p.path, signal, p.printed())
		p.running.Kill()
		<-p.ended
	}
	p.running = nil
}

// hasEnded reports whether the program has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// printed returns what the program has printed.
func (p *process) printed() []byte {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	const end = 4 << 10
	return bytes.TrimSpace(b[max(0, len(b)-end):])
}

// await waits until is returns nil. It fails the test with what is returned last if that
// takes longer than a broker may take.
func await(t testing.TB, what string, is func() error) {
	t.Helper()
	awaitFor(t, patience, what, is)
}

// awaitFor is await for what may take another time.
func awaitFor(t testing.TB, d time.Duration, what string, is func() error) {
	t.Helper()
	end := time.After(d)
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("brokertest: waiting for %s: %v", what, err)
		}
	}
}

// errNot is the error of a state that is not the one awaited.
func errNot(got any) error { return fmt.Errorf("it is %q", got) }
