package faulttest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var cutStep = flag.Int("step", 293, "how many `bytes` apart a conversation with Redis is cut in each manner; with 1, all take an hour")

const (
	// silence is how long it may take until a connection that has fallen silent is given up and
	// another one is there: subscriptions are probed after 30 s, and everything is looked at
	// every 5 s.
	silence  = 45 * time.Second
	talkTime = 10 * time.Second // what a conversation waits for at most
	// fast and sparse are how far apart the events of the traffic are, in the first second and
	// then.
	fast, sparse = 50 * time.Millisecond, time.Second
	// late is when the clients of a server must have its events: Recovery may wait a second for
	// Redis.
	late = 1100 * time.Millisecond
)

// Cuts is an adapter whose conversations with Redis are cut.
type Cuts struct {
	// Node makes a node on connections of dial; done is called when it is closed.
	Node func(t *testing.T, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (n Node, done func())
	// Keeps is set if events are kept, so that a node whose connections were cut has missed none.
	Keeps bool
	// Recovery sets Options.Recovery of the servers, and has clients come back.
	Recovery bool
}

// RunCuts cuts each conversation after some numbers of bytes, as -step says, in each direction
// and manner. Whatever was cut: nothing panics, local events arrive at once,
// the node is connected again in time and works as before, nothing comes twice or out of order, what
// has not arrived was counted, and nothing is left after Close.
func RunCuts(t *testing.T, c Cuts) {
	for _, talk := range talks {
		// Recovery changes only some of what is said.
		if talk.recovery && !c.Recovery || c.Recovery && !talk.recovery && !talk.first && *cutStep > 1 {
			continue
		}
		t.Run(talk.name, func(t *testing.T) {
			total, wrong := c.play(t, &talk, -1, toRedis, eof)
			if wrong != nil {
				t.Fatalf("without a cut: %v", wrong)
			}
			times := 0
			for way := range total {
				for how := range manners {
					// Each manner has other bytes than the others.
					for at := int(how) * *cutStep / int(manners); at < total[way]; at += *cutStep {
						times++
						if _, wrong := c.play(t, &talk, at, direction(way), how); wrong != nil {
							t.Errorf("%v after %d bytes %v: %v", how, at, direction(way), wrong)
							break
						}
					}
				}
			}
			t.Logf("%d bytes to Redis, %d from it; cut %d times", total[toRedis], total[fromRedis], times)
		})
	}
}

// faults are what must not be.
type faults struct {
	mu   sync.Mutex
	list []error
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) < 10 {
		f.list = append(f.list, fmt.Errorf(format, args...))
	}
}

func (f *faults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.list...)
}

// play has one conversation, of two servers a and b, of which a's connections are cut.
func (c *Cuts) play(t *testing.T, talk *talk, at int, way direction, how manner) (passed [2]int, wrong error) {
	var f faults
	synctest.Test(t, func(t *testing.T) {
		redis := newFakeRedis()
		w := &wire{redis: redis, at: at, way: way, how: how, watched: talk.first}
		clear := &wire{redis: redis, at: -1}
		p := &pair{faults: &f, recovery: c.Recovery}
		b := p.serve(t, c, "b", clear)
		p.b = b
		if err := ready(b, back); err != nil {
			f.add("Ready of b: %w", err)
		}
		p.a = p.serve(t, c, "a", w)
		wasReady := p.begin(w)

		stop := p.traffic()
		w.watch(true)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), talkTime)
		err := talk.talk(ctx, p)
		cancel()
		w.watch(false)
		passed = w.total()
		if took := time.Since(began); took > talkTime+time.Second {
			f.add("the conversation has ended after %v", took)
		}
		if err != nil && !w.isCut() {
			f.add("%w", err)
		}
		if how == gone && w.isCut() {
			time.Sleep(5 * time.Second)
			stop()
			p.a.checkOwn(&f)
			p.end(w, 2*time.Second)
		} else {
			p.again(w, talk, how)
			stop()
			p.check(c, wasReady)
			p.end(w, back)
		}
		b.end(&f, back, true)
		redis.work.Wait()
		for name, w := range map[string]*wire{"a": w, "b": clear} {
			if w.open != 0 {
				f.add("%d connections of %s are left", w.open, name)
			}
		}
	})
	return passed, f.err()
}

// begin waits until a is connected, or as long as is promised. It reports whether it is.
func (p *pair) begin(w *wire) bool {
	began := time.Now()
	err := ready(p.a, back)
	switch took := time.Since(began); {
	case took > back:
		p.faults.add("Ready has returned after %v", took)
	case err != nil && (!w.isCut() || !errors.Is(err, context.DeadlineExceeded)):
		p.faults.add("Ready: %w", err)
	case err != nil && (w.how == eof || w.how == reset):
		p.faults.add("Ready after a first connection that was cut: %w", err)
	}
	return err == nil
}

// again waits until a has its connections again, and has the conversation another time.
func (p *pair) again(w *wire, talk *talk, how manner) {
	limit := back
	if how == stall {
		limit = silence
		time.Sleep(back) // sessions that could not be written are written again then
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := p.a.node.Ready(ctx); err != nil {
		p.faults.add("Ready after the cut: %w", err)
		return
	}
	for _, way := range [][2]*station{{p.a, p.b}, {p.b, p.a}} {
		from, to := way[0], way[1]
		now := from.emitted()
		for ctx.Err() == nil && to.heard(from.name) <= now {
			time.Sleep(fast)
		}
		if ctx.Err() != nil {
			p.faults.add("after the cut nothing of %s comes to %s", from.name, to.name)
			return
		}
	}
	ctx, cancel = context.WithTimeout(context.Background(), talkTime)
	defer cancel()
	if err := talk.talk(ctx, p); err != nil {
		p.faults.add("the same conversation after the cut: %w", err)
	}
}

// check compares what has arrived with the counters.
func (p *pair) check(c *Cuts, wasReady bool) {
	time.Sleep(2 * late)
	synctest.Wait()
	f := p.faults
	for _, s := range []*station{p.a, p.b} {
		s.checkOwn(f)
	}
	a, b := p.a.node.Stats(), p.b.node.Stats()
	if missing := p.a.emitted() - p.b.came("a"); int64(missing) > a.Dropped {
		f.add("%d events of a have not arrived, and %d were counted as dropped", missing, a.Dropped)
	}
	missing := p.b.emitted() - p.a.came("b")
	switch {
	case missing > 0 && c.Keeps && wasReady:
		f.add("%d events of b were missed, although they are kept", missing)
	case missing > 0 && a.Gaps == 0 && wasReady:
		f.add("%d events of b were missed, and no gap was counted", missing)
	}
	if b.Dropped != 0 || b.Gaps != 0 {
		f.add("b, of which nothing was cut: %+v", b)
	}
}
