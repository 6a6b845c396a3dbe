package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/bench/histogram"
	"github.com/parleyws/parley/bench/proc"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A party is many clients of Socket.IO in this process.
type party struct {
	url, transport, event string
	clients               int
	rate                  float64 // calls of each client in a second
	duration              time.Duration

	list []*socketio.Client
	away atomic.Int64 // clients that have lost their connection
	lost atomic.Int64 // connections that were lost

	mu       sync.Mutex
	calls    int
	failed   int
	last     error // of the calls that have failed
	latency  histogram.Histogram
	interval histogram.Histogram // of the last second
}

// openTime bounds how long one client may take to connect.
const openTime = time.Minute

// connect adds n clients, dialers at a time.
func (p *party) connect(n int) error {
	o := &socketio.DialOptions{Setup: func(c *socketio.Client) {
		c.OnDisconnect(func(socketio.Reason, error) { p.away.Add(1); p.lost.Add(1) })
		connected := false
		c.OnConnect(func() {
			if connected {
				p.away.Add(-1)
			}
			connected = true
		})
	}}
	if p.transport != "" {
		o.Engine = engineio.DialOptions{Transports: []string{p.transport}}
	}
	var dialing sync.WaitGroup
	var failed error
	places := make(chan struct{}, dialers)
	for range n {
		places <- struct{}{}
		dialing.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(context.Background(), openTime)
			defer cancel()
			c, err := socketio.Dial(ctx, p.url, o)
			p.mu.Lock()
			defer p.mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			p.list = append(p.list, c)
		})
	}
	dialing.Wait()
	return failed
}

// run connects the clients, lets them call, and prints what comes of it.
func (p *party) run(out io.Writer) error {
	before, err := resident()
	if err != nil {
		return err
	}
	goroutines := runtime.NumGoroutine()
	began := time.Now()
	if err := p.connect(p.clients); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d clients connected in %.1f s\n", p.clients, time.Since(began).Seconds())
	time.Sleep(3 * time.Second) // upgrades end, and goroutines that are not needed any more
	after, err := resident()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "idle: %.1f KB and %.2f goroutines a client\n", float64(after-before)/1024/float64(p.clients),
		float64(runtime.NumGoroutine()-goroutines)/float64(p.clients))
	ctx, cancel := context.WithTimeout(context.Background(), p.duration)
	defer cancel()
	var calling sync.WaitGroup
	for i, c := range p.list {
		if p.rate > 0 {
			calling.Go(func() { p.call(ctx, c, float64(i)/float64(p.clients)) })
		}
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for ctx.Err() == nil {
		select {
		case <-second.C:
		case <-ctx.Done():
		}
		p.progress(out, time.Since(began))
	}
	calling.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(out, "in all: %d calls, p50 %s, p99 %s; %d failed, %d connections lost\n", p.calls,
		duration(p.latency.Quantile(0.5)), duration(p.latency.Quantile(0.99)), p.failed, p.lost.Load())
	for _, c := range p.list {
		c.Close()
	}
	return p.last
}

// call makes one client call at its rate, from a part of its interval on. A call that is
// late counts from when it was due: others wait as long as it.
func (p *party) call(ctx context.Context, c *socketio.Client, part float64) {
	text := strings.Repeat("a", 64)
	interval := time.Duration(float64(time.Second) / p.rate)
	due := time.Now().Add(time.Duration(part * float64(interval)))
	for {
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return
		}
		_, err := socketio.Call[any](ctx, c, p.event, text)
		if ctx.Err() != nil {
			return // the last call is not answered any more
		}
		p.count(time.Since(due), err)
		due = due.Add(interval)
	}
}

func (p *party) count(took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed++
		p.last = errors.Join(errors.New("a call has failed"), err)
		return
	}
	p.calls++
	p.latency.Add(int64(took), 1)
	p.interval.Add(int64(took), 1)
}

// progress prints a line about the last second.
func (p *party) progress(out io.Writer, at time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(out, "%5.1f s: %d connected, %d calls, p50 %s, p99 %s; %d failed\n", at.Seconds(), int64(p.clients)-p.away.Load(),
		p.interval.Len(), duration(p.interval.Quantile(0.5)), duration(p.interval.Quantile(0.99)), p.failed)
	p.interval = histogram.Histogram{}
}

func duration(ns int64) time.Duration { return time.Duration(ns).Round(10 * time.Microsecond) }

// resident returns the resident memory of this process in bytes.
func resident() (int, error) {
	v, err := proc.Memory(nil)
	octets, _ := v.(int)
	return octets, err
}
