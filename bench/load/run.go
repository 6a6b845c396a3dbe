package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/parleyws/parley/bench/histogram"
)

// A run is one call of run.
type run struct {
	*generator
	Work
	frames, odd frames
	begin       time.Time
	sent        int // messages that were sent
	due         int // messages that have not come yet
	came        int
	heard       time.Time
	latency     histogram.Histogram
}

// run sends messages until the time is over, and then waits for all answers.
func (g *generator) run(w Work) (Result, error) {
	if len(g.peers) == 0 {
		return Result{}, errors.New("no connections")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if w.Text == "" {
		w.Text = strings.Repeat("a", w.Size)
	}
	w.OddInFlight = max(1, w.OddInFlight)
	r := &run{generator: g, Work: w, frames: framesOf(w.Text, w.InFlight), odd: framesOf(w.OddText, w.OddInFlight), begin: time.Now()}
	r.heard = r.begin
	before := cpu()
	if err := r.all(); err != nil {
		return Result{}, err
	}
	return Result{
		Messages: r.came,
		Seconds:  time.Since(r.begin).Seconds(),
		CPU:      cpu() - before,
		P50:      r.latency.Quantile(0.50),
		P99:      r.latency.Quantile(0.99),
		P999:     r.latency.Quantile(0.999),
	}, nil
}

func (r *run) all() error {
	for i, p := range r.peers {
		p.sent, p.odd = p.sent[:0], i < r.Odd
	}
	senders := r.peers[:len(r.peers)-r.Vanish]
	if r.Fanout > 0 {
		senders = senders[:1]
	}
	for _, p := range senders {
		inFlight := r.InFlight
		if p.odd {
			inFlight = r.OddInFlight
		}
		if err := r.send(p, inFlight, time.Now()); err != nil {
			return err
		}
	}
	events := make([]syscall.EpollEvent, 256)
	for r.due > 0 {
		if r.Vanish > 0 && time.Since(r.begin).Seconds() >= r.Seconds/2 {
			r.vanish(r.Vanish)
			r.Vanish = 0
		}
		if err := r.generator.wait(events, r.ready); err != nil {
			return err
		}
		if time.Since(r.heard) > silence {
			return fmt.Errorf("nothing came for %v; %d messages are missing", silence, r.due)
		}
	}
	return nil
}

// framesOf returns the frames that p sends.
func (r *run) framesOf(p *peer) frames {
	if p.odd {
		return r.odd
	}
	return r.frames
}

// ready reads the bytes that came for p, and sends as many messages as were answered.
func (r *run) ready(p *peer, now time.Time) error {
	n, err := r.receive(p)
	if err != nil {
		return err
	}
	if n == 0 {
		return p.flush(r.framesOf(p))
	}
	r.heard = now
	if !p.odd {
		r.came += n
	}
	r.due -= n
	if r.Fanout == 0 {
		return r.answered(p, n, now)
	}
	if err := p.flush(r.framesOf(p)); err != nil || r.due > 0 {
		return err
	}
	return r.answered(r.peers[0], r.InFlight, now)
}

// answered records the latency of n messages of p and sends the next ones.
func (r *run) answered(p *peer, n int, now time.Time) error {
	at := now.Sub(r.begin).Nanoseconds()
	for left := n; left > 0; {
		if len(p.sent) == 0 {
			return errors.New("more messages came than were asked for")
		}
		oldest := &p.sent[0]
		k := min(left, oldest.n)
		if !p.odd {
			r.latency.Add(at-oldest.at, k)
		}
		left, oldest.n = left-k, oldest.n-k
		if oldest.n == 0 {
			p.sent = slices.Delete(p.sent, 0, 1)
		}
	}
	if now.Sub(r.begin).Seconds() >= r.Seconds || r.Messages > 0 && r.sent >= r.Messages {
		return p.flush(r.framesOf(p))
	}
	return r.send(p, n, now)
}

// send sends n messages.
func (r *run) send(p *peer, n int, now time.Time) error {
	p.sent = append(p.sent, burst{now.Sub(r.begin).Nanoseconds(), n})
	p.owed += n * r.framesOf(p).size
	r.sent += n
	r.due += n * max(1, r.Fanout)
	return p.flush(r.framesOf(p))
}
