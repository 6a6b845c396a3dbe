package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/parleyws/parley/frame"
)

// Numbers says what collect waits for: events whose last argument is a number.
type Numbers struct {
	First   int     // lesser numbers belong to what was sent before, and don't count
	Count   int     // so many numbers are expected, on every connection
	None    bool    // none of them is expected
	Silence float64 // seconds without any byte after which what has not come is lost
}

// A Tally is what came. The event after those expected ends a connection's part of it.
type Tally struct {
	Events    int     // without those that end it
	Seconds   float64 // from the call of collect to the last event
	CPU       int64   // processor time of the generator, in nanoseconds
	Lost      int     // numbers that did not come
	Doubled   int     // events whose number had come before
	Reordered int     // events whose number is less than that of one before
}

// A count is what has come on a connection.
type count struct {
	Numbers
	seen  []uint64 // a bit for each number
	next  int      // how many numbers there are up to the greatest that has come
	ended bool

	events, doubled, reordered int
}

// collect counts events until all connections have had the last number. Then it waits for a
// moment, in which nothing should come.
func (g *generator) collect(n Numbers) (t Tally, err error) {
	if len(g.peers) == 0 {
		return t, errors.New("no connections")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin, before := time.Now(), cpu()
	for _, p := range g.peers {
		p.count = count{Numbers: n, seen: make([]uint64, n.Count/64+1)}
	}
	heard, left := begin, len(g.peers)
	ready := func(p *peer, now time.Time) error {
		heard = now
		ended := p.ended
		if err := g.numbered(p); err != nil {
			return err
		}
		if p.ended && !ended {
			left--
		}
		return p.flush(frames{})
	}
	events := make([]syscall.EpollEvent, 256)
	for left > 0 && time.Since(heard).Seconds() < n.Silence {
		if err := g.wait(events, ready); err != nil {
			return t, err
		}
	}
	t.Seconds, t.CPU = heard.Sub(begin).Seconds(), cpu()-before
	for end := time.Now().Add(afterTime); time.Now().Before(end); {
		if err := g.wait(events, ready); err != nil {
			return t, err
		}
	}
	for _, p := range g.peers {
		p.tally(&t)
	}
	return t, nil
}

// afterTime is how long an event may come after the last one and still be counted.
const afterTime = 50 * time.Millisecond

// numbered reads the events that have come for p.
func (g *generator) numbered(p *peer) error {
	for {
		n, err := syscall.Read(p.fd, g.in)
		switch {
		case err == syscall.EAGAIN:
			return nil
		case err == syscall.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return errors.New("the server closed a connection")
		}
		if err := p.frames(g.in[:n]); err != nil {
			return err
		}
	}
}

// frames takes the next bytes. The beginning of an incomplete frame is kept for later.
func (p *peer) frames(b []byte) error {
	if len(p.part) > 0 {
		p.part = append(p.part, b...)
		b = p.part
	}
	for {
		h, n, err := frame.Parse(b)
		if err != nil {
			return err
		}
		end := n + int(h.Length)
		if n == 0 || len(b) < end {
			p.part = append(p.part[:0], b...)
			return nil
		}
		if h.Opcode == frame.Close {
			return fmt.Errorf("the server closed: %q", b[n:end])
		}
		if !h.Opcode.IsControl() {
			if err := p.event(b[n:end]); err != nil {
				return err
			}
		}
		b = b[end:]
	}
}

// event counts an event, or a ping of Engine.IO, which flush answers.
func (p *peer) event(text []byte) error {
	if len(text) == 1 {
		p.pings++
		return nil
	}
	if bytes.HasSuffix(text, []byte(`"]`)) { // an offset, for clients that come back
		if at := bytes.LastIndexByte(text, ','); at >= 0 {
			text = append(text[:at:at], ']')
		}
	}
	digits, ok := bytes.CutSuffix(text[bytes.LastIndexByte(text, ',')+1:], []byte("]"))
	n, err := strconv.Atoi(string(digits))
	if !ok || err != nil {
		return fmt.Errorf("an event without a number came: %.200q", text)
	}
	return p.add(n)
}

func (c *count) add(number int) error {
	n := number - c.First
	if n < 0 {
		return nil
	}
	if n == c.Count {
		c.ended, c.next = true, n // it is the last one
		return nil
	}
	if n > c.Count || c.None {
		return fmt.Errorf("an event that was for nobody here came: number %d", number)
	}
	c.events++
	bit := uint64(1) << (n % 64)
	switch {
	case c.seen[n/64]&bit != 0:
		c.doubled++
	case n < c.next:
		c.reordered++
	}
	c.seen[n/64] |= bit
	c.next = max(c.next, n+1)
	return nil
}

// tally adds what came on a connection to t.
func (c *count) tally(t *Tally) {
	came := 0
	for _, word := range c.seen {
		came += bits.OnesCount64(word)
	}
	if !c.None {
		t.Lost += c.Count - came
	}
	if !c.ended {
		t.Lost++
	}
	t.Events += c.events
	t.Doubled += c.doubled
	t.Reordered += c.reordered
}
