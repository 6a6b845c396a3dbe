package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/parleyws/parley/bench/proc"
)

// A sample is what is known of a moment, and of the time since the sample before.
type sample struct {
	State
	At            time.Duration
	Resident      int // bytes
	Descriptors   int
	Settled       bool // garbage was collected just before, and free memory returned
	Phase         int  // -1 in the warm-up; what is done in it is its activity
	Open          int  // connections of the generator
	Messages      int
	P50, P99      time.Duration
	Healthy, Back Faults // so far
	Wrong         int
}

// take asks the server and the kernel.
func (s *soak) take(settled bool) (sample, error) {
	m := sample{At: s.now(), Settled: settled}
	if err := s.server.Call("state", settled, &m.State); err != nil {
		return m, err
	}
	pid := s.server.Pid()
	var err error
	if m.Resident, err = proc.Resident(pid); err != nil {
		return m, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	m.Descriptors = len(files)
	return m, err
}

// sample takes a sample and keeps it.
func (s *soak) sample(settled bool, phase int) error {
	window := s.tally.cut()
	m, err := s.take(settled)
	if err != nil {
		return err
	}
	m.Open = int(s.opened.Load())
	m.Phase, m.Messages = phase, window.Len()
	m.P50, m.P99 = time.Duration(window.Quantile(0.5)), time.Duration(window.Quantile(0.99))
	m.Healthy, m.Back, m.Wrong = s.tally.found()
	if phase >= 0 {
		s.windows[activity(phase)].Merge(&window)
	}
	s.samples = append(s.samples, m)
	if settled || len(s.samples) == 1 {
		s.print("%s", m)
	}
	return nil
}

// atRest reports whether nothing was under way.
func (m sample) atRest() bool { return m.Settled && m.Phase >= 0 && activity(m.Phase) == resting }

// String is a line of the log.
func (m sample) String() string {
	return fmt.Sprintf("%5d open, %5d messages, p50 %7v, p99 %8v; %5.1f MB resident, %5.1f MB of heap, %d goroutines, %d descriptors; "+
		"lost %d, doubled %d, swapped %d; wrong %d", m.Open, m.Messages, m.P50.Round(10*time.Microsecond), m.P99.Round(10*time.Microsecond),
		mega(m.Resident), mega(int(m.Heap)), m.Goroutines, m.Descriptors, m.Healthy.Lost, m.Healthy.Doubled, m.Healthy.Swapped, m.Wrong)
}

func mega(n int) float64 { return float64(n) / (1 << 20) }

// prime has some connections of each kind come and go, so that what the server keeps for good
// is there, and takes the sample with which the last one is compared.
func (s *soak) prime() error {
	for range 40 {
		for i := range kinds {
			k, t := &kinds[i], new(tap)
			w := &watch{all: newTally(), now: s.now, kind: k.name, room: &room{name: "prime"}, gone: make(chan struct{})}
			one := &slot{soak: s, kind: k}
			c, err := one.open(w, t)
			if err != nil {
				return err
			}
			c.send(w.send(), int64(s.now()))
			for end := s.now() + drainTime; !w.ready() && s.now() < end; {
				time.Sleep(time.Millisecond)
			}
			w.hurting()
			if err := c.goodbye(); err != nil {
				return err
			}
			t.kill(func(c *net.TCPConn) { c.Close() })
		}
	}
	for end := s.now() + 20*time.Second; s.now() < end; time.Sleep(time.Second) {
		m, err := s.take(true)
		if err != nil {
			return err
		}
		s.baseline = m
		if m.Sessions == 0 && m.Plain == 0 && s.now() > end-15*time.Second {
			break
		}
	}
	s.print("before: %s", s.baseline)
	return nil
}

// settleTime is how long the server may take to let go of all connections that are gone. One
// that was silent to the end is given up after 45 s.
const settleTime = 90 * time.Second

// settle waits until the server is back at the baseline, and takes the last sample.
func (s *soak) settle() error {
	for end := s.now() + settleTime; ; time.Sleep(time.Second) {
		m, err := s.take(true)
		if err != nil {
			return err
		}
		s.final = m
		if m.Goroutines <= s.baseline.Goroutines && m.Descriptors <= s.baseline.Descriptors && m.Sessions == 0 && m.Plain == 0 || s.now() > end {
			break
		}
	}
	s.print("after:  %s", s.final)
	for _, name := range []string{"goroutines", "heap"} {
		if err := s.server.Call(name, s.path(name+".after"), nil); err != nil {
			return err
		}
	}
	return nil
}

// A share is how much of the processors was used.
type share struct {
	since           time.Time
	server, own     int64   // nanoseconds
	serverOf, ownOf float64 // of one processor
}

// cpuSince measures from the call with begin on, and up to the last one.
func (s *soak) cpuSince(begin bool) {
	var server int64
	if s.server.Call("cpu", nil, &server) != nil {
		return
	}
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	own := u.Utime.Nano() + u.Stime.Nano()
	if begin {
		s.cpu = share{since: time.Now(), server: server, own: own}
		return
	}
	seconds := float64(time.Since(s.cpu.since))
	s.cpu.serverOf, s.cpu.ownOf = float64(server-s.cpu.server)/seconds, float64(own-s.cpu.own)/seconds
}
