package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/bench/proc"
)

// A soak is one run against one server.
type soak struct {
	options
	server  *proc.Process
	address string
	began   time.Time
	tally   *tally
	slots   []*slot
	node    *node // nil if there is none

	interval   time.Duration // from one message of a connection to the next, and of a room
	floodPause time.Duration
	dialing    chan struct{} // bounds how many connections are opened at a time
	opened     atomic.Int64
	slow       atomic.Pointer[context.Context] // ends with the slow phase; nil in others

	draining   chan struct{}  // closed when nothing new is sent
	drained    sync.WaitGroup // slots that have all that they should
	leaving    chan struct{}  // closed when all say goodbye
	running    sync.WaitGroup // slots and floods
	publishers sync.WaitGroup
	lingering  sync.WaitGroup // what becomes of killed connections

	samples  []sample
	baseline sample // before there were connections
	final    sample // after all have gone
	own      int    // goroutines of the generator that are left in the end
	cpu      share
}

// dialers is how many connections are opened at a time.
const dialers = 128

// roomSize is how many connections are in a room.
const roomSize = 50

func (s *soak) now() time.Duration { return time.Since(s.began) }

func (s *soak) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// pause waits, but not for longer than until the soak is drained.
func (s *soak) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.draining:
	}
}

// later does what may take some time, which the soak waits for in the end.
func (s *soak) later(f func()) { s.lingering.Go(f) }

// slowPhase returns the ctx of the slow phase, or nil if there is none.
func (s *soak) slowPhase() context.Context {
	if phase := s.slow.Load(); phase != nil {
		return *phase
	}
	return nil
}

// start starts the server and what the soak needs.
func (s *soak) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.server, err = proc.Start(&s.address, self, "-serve", "-shell", s.shell); err != nil {
		return err
	}
	s.began = time.Now()
	s.tally = newTally()
	s.interval = 5 * time.Second
	s.floodPause = time.Second
	s.dialing = make(chan struct{}, dialers)
	s.draining, s.leaving = make(chan struct{}), make(chan struct{})
	return nil
}

// run is the whole soak.
func (s *soak) run() error {
	if err := s.start(); err != nil {
		return err
	}
	defer s.server.Stop()
	if err := s.prime(); err != nil {
		return fmt.Errorf("priming: %w", err)
	}
	own := runtime.NumGoroutine()
	stop, err := s.populate()
	if err != nil {
		return err
	}
	if err := s.traffic(); err != nil {
		return err
	}
	close(s.draining)
	s.publishers.Wait()
	s.drained.Wait()
	s.node.drain(s)
	s.print("drained: all that was sent has arrived, or is counted as lost")
	close(s.leaving)
	for _, f := range stop {
		f()
	}
	s.running.Wait()
	s.lingering.Wait()
	s.node.stop()
	s.print("all connections are gone")
	if err := s.settle(); err != nil {
		return err
	}
	for end := s.now() + 10*time.Second; runtime.NumGoroutine() > own && s.now() < end; {
		time.Sleep(100 * time.Millisecond)
	}
	s.own = runtime.NumGoroutine() - own
	return nil
}

// populate fills all slots, and starts what publishes, floods, and runs on Node.
func (s *soak) populate() (stop []func(), err error) {
	var plainRooms, eventRooms []*room
	for i, n := 0, 0; i < len(kinds); i++ {
		k := &kinds[i]
		for range max(1, s.n*k.share/100) {
			rooms, prefix := &plainRooms, "plain"
			if k.socketIO {
				rooms, prefix = &eventRooms, "events"
			}
			if len(*rooms) == 0 || s.membersOf((*rooms)[len(*rooms)-1]) == roomSize {
				*rooms = append(*rooms, &room{name: fmt.Sprint(prefix, len(*rooms))})
			}
			s.slots = append(s.slots, &slot{soak: s, kind: k, room: (*rooms)[len(*rooms)-1], stops: n%10 == 3,
				random: rand.New(rand.NewPCG(s.seed, uint64(n))), orders: make(chan struct{}, 1)})
			n++
		}
	}
	if s.node != nil {
		s.node.room = &room{name: "node"}
		eventRooms = append(eventRooms, s.node.room)
		if err := s.node.connect(s.address); err != nil {
			return nil, err
		}
	}
	s.drained.Add(len(s.slots))
	for _, one := range s.slots {
		s.running.Go(one.run)
	}
	for s.opened.Load() < int64(len(s.slots)) {
		if s.now() > 5*time.Minute {
			return nil, fmt.Errorf("only %d of %d connections are open after %v", s.opened.Load(), len(s.slots), s.now())
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.print("all %d connections are open", len(s.slots))
	for _, f := range []func() (func(), error){
		func() (func(), error) { return s.publishPlain(plainRooms) },
		func() (func(), error) { return s.publishEvents(eventRooms) },
	} {
		end, err := f()
		if err != nil {
			return nil, err
		}
		stop = append(stop, end)
	}
	for i := range 1 + s.n/3000 {
		random := rand.New(rand.NewPCG(s.seed, uint64(1<<32+i)))
		s.running.Go(func() { s.flood(random) })
	}
	return stop, nil
}

// membersOf counts the slots in a room.
func (s *soak) membersOf(r *room) (n int) {
	for i := len(s.slots) - 1; i >= 0 && n < roomSize; i-- {
		if s.slots[i].room == r {
			n++
		}
	}
	return n
}

// traffic lets the connections talk, and kills one in a hundred of them each second. After the
// warm-up phases in which all read, and in which one in ten does not, take turns.
func (s *soak) traffic() error {
	random := rand.New(rand.NewPCG(s.seed, 1<<33))
	begin := s.now()
	warm := begin + min(max(s.duration/5, patience+10*time.Second), s.duration/2, 3*time.Minute)
	phases := 2 * max(2, int((s.duration-(warm-begin))/(150*time.Second)))
	length := (begin + s.duration - warm) / time.Duration(phases)
	var end context.CancelFunc = func() {}
	defer func() { end() }()
	phase, nextSample, nextSettle := -1, begin, warm
	due := 0.
	for second := begin; second < begin+s.duration; second += time.Second {
		s.pause(second - s.now())
		for due += float64(len(s.slots)) * s.kill / 100; due >= 1; due-- {
			s.killOne(random)
		}
		if now := int((second - warm) / length); second >= warm && now != phase {
			phase = now
			end()
			end = func() {}
			s.slow.Store(nil)
			if phase%2 == 1 {
				ctx, cancel := context.WithCancel(context.Background())
				s.slow.Store(&ctx)
				end = func() { cancel() }
			}
			s.cpuSince(phase == 0)
		}
		if second >= nextSample {
			nextSample += s.sampleEvery()
			settled := second >= nextSettle
			if settled {
				nextSettle += s.settleEvery()
			}
			if err := s.sample(settled, phase); err != nil {
				return err
			}
		}
	}
	s.slow.Store(nil)
	s.cpuSince(false)
	return nil
}

// killOne has one of the connections killed, unless many are to be replaced already: a machine that
// is busy with other things would be left with few.
func (s *soak) killOne(random *rand.Rand) {
	one := s.slots[random.IntN(len(s.slots))]
	if s.opened.Load() < int64(len(s.slots))*95/100 {
		s.tally.count("not killed, because too few were open")
		return
	}
	select {
	case one.orders <- struct{}{}:
	default: // it is being killed
	}
}

// sampleEvery is the time between two samples, and settleEvery that between two before
// which the server collects its garbage.
func (s *soak) sampleEvery() time.Duration {
	return max(time.Second, (s.duration / 300).Round(time.Second))
}
func (s *soak) settleEvery() time.Duration {
	return min(max(10*time.Second, s.duration/60), 30*time.Second)
}

// print prints a line with the time.
func (s *soak) print(format string, args ...any) {
	fmt.Printf("%7.1f s  %s\n", s.now().Seconds(), fmt.Sprintf(format, args...))
}
