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
	resting    atomic.Bool                     // nobody sends, and nobody is killed

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

// What is done in a phase.
const (
	talking  = iota // all read
	stopping        // one in ten does not
	resting         // nobody sends, and nobody is killed
	activities
)

// activity returns what is done in a phase; in the warm-up, all read.
func activity(phase int) int { return max(phase, 0) % activities }

// cycleTime is how long the three activities take together, in a run that is long enough for more than
// two such cycles: a rest must be longer than patience, which is how long what was killed may be held.
const cycleTime = 225 * time.Second

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

// steady is how long the warm-up must be for goroutines and descriptors to be as many as they will be:
// what is killed is held for patience.
const steady = patience + 10*time.Second

// warmUp is how long the warm-up is.
func (s *soak) warmUp() time.Duration {
	return min(max(s.duration/5, steady), s.duration/2, 3*time.Minute)
}

// traffic lets the connections talk, and kills some of them each second. After the warm-up the
// three activities take turns. The last sample of each phase is a settled one.
func (s *soak) traffic() error {
	random := rand.New(rand.NewPCG(s.seed, 1<<33))
	begin := s.now()
	warm := begin + s.warmUp()
	phases := activities * max(2, int((s.duration-(warm-begin))/cycleTime))
	length := (begin + s.duration - warm) / time.Duration(phases)
	phase, nextSample, end := -1, begin, func() {}
	defer func() { end() }()
	due := 0.
	for second := begin; second < begin+s.duration; second += time.Second {
		s.pause(second - s.now())
		if now := int((second - warm) / length); second >= warm && now != phase {
			if err := s.sample(true, phase); err != nil {
				return err
			}
			phase = now
			end()
			end = s.begin(activity(phase))
			s.cpuSince(phase == 0)
		}
		if activity(phase) != resting {
			for due += float64(len(s.slots)) * s.kill / 100; due >= 1; due-- {
				s.killOne(random)
			}
		}
		if second >= nextSample {
			nextSample += s.sampleEvery()
			if err := s.sample(false, phase); err != nil {
				return err
			}
		}
	}
	s.cpuSince(false)
	return s.sample(true, phase)
}

// begin begins an activity, and returns what ends it.
func (s *soak) begin(activity int) (end func()) {
	switch activity {
	case stopping:
		ctx, cancel := context.WithCancel(context.Background())
		s.slow.Store(&ctx)
		return func() {
			s.slow.Store(nil)
			cancel()
		}
	case resting:
		s.resting.Store(true)
		return func() { s.resting.Store(false) }
	}
	return func() {}
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

// sampleEvery is the time between two samples.
func (s *soak) sampleEvery() time.Duration {
	return max(time.Second, (s.duration / 300).Round(time.Second))
}

// print prints a line with the time.
func (s *soak) print(format string, args ...any) {
	fmt.Printf("%7.1f s  %s\n", s.now().Seconds(), fmt.Sprintf(format, args...))
}
