// Package loop serves many sockets with few goroutines: it learns from the kernel which
// of them can be read, and has a worker read each of those.
//
// A socket is served by one worker at a time (socket.go). Workers are equals. One of them
// asks the kernel, and then serves what it was told of. A function that a worker calls may
// block: before a worker serves anything another one stands by, which asks the kernel in
// turn, or is ready to run, and takes over what is left as soon as the first one blocks.
//
// # Concurrency
//
// All functions may be called from any goroutine, unless they say otherwise.
package loop

import (
	"context"
	"net"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/parleyws/parley/internal/alarm"
)

// A Loop serves the sockets that it has taken over, until it is closed.
type Loop struct {
	kernel Kernel
	clock  alarm.Clock

	mu      sync.Mutex
	sockets []*Socket       // by descriptor; nil where there is none
	numbers int32           // of sockets so far
	queue   queue           // sockets that are owned and wait for a worker
	turns   int             // of the round that are left
	polling bool            // a worker asks the kernel
	armed   bool            // a worker is about to run
	resting bool            // a worker gives way, and will go on
	spares  []chan struct{} // workers that wait until they are needed
	over    bool

	events []Event // of the worker that waits for the kernel
	looked []Event // of the worker that has mu
}

const (
	// batch is how many events the kernel tells of at once, at most.
	batch = 128
	// maxSpares is how many workers may wait until they are needed.
	maxSpares = 4
	// timeSlice is after how long a worker gives way. The runtime takes the processor
	// from a goroutine that has run for 10 ms when it makes a system call, and a worker
	// makes little else: the processor would wander from thread to thread.
	timeSlice = 4 * time.Millisecond
	// clockTurns is after how many turns a worker looks at the clock, for that.
	clockTurns = 16
)

// New returns a Loop on a kernel that nobody else uses.
func New(k Kernel) *Loop {
	l := &Loop{kernel: k, events: make([]Event, batch), looked: make([]Event, batch), armed: true}
	go l.work()
	return l
}

// Take takes a stream over, and returns it as a Socket. It returns nil, and has done
// nothing, if the kernel can't take the stream.
func (l *Loop) Take(nc net.Conn) *Socket {
	s := &Socket{loop: l}
	s.setAddresses(nc)
	fd, ok := l.kernel.Take(nc)
	if !ok {
		return nil
	}
	s.fd = fd
	s.refs.Store(1)
	l.mu.Lock()
	l.numbers++
	s.number = l.numbers
	for int(fd) >= len(l.sockets) {
		l.sockets = append(l.sockets, nil)
	}
	l.sockets[fd] = s
	l.mu.Unlock()
	s.failed = l.kernel.Watch(fd, s.number) != nil // the first read tells
	return s
}

// forget lets go of a socket.
func (l *Loop) forget(s *Socket) {
	l.mu.Lock()
	l.sockets[s.fd] = nil
	l.mu.Unlock()
	l.kernel.Close(s.fd)
}

// Close ends the Loop, whose sockets are all closed.
func (l *Loop) Close() {
	l.mu.Lock()
	l.over = true
	spares := l.spares
	l.spares = nil
	l.mu.Unlock()
	for _, spare := range spares {
		close(spare)
	}
	l.kernel.End()
}

// work is what a worker does. The function that it calls for a socket may end its
// goroutine by runtime.Goexit: another worker stands by.
func (l *Loop) work() {
	pprof.SetGoroutineLabels(context.Background()) // those of who has made it run are not its own
	var w Worker
	defer w.Hurry() // what is left if the goroutine ends
	var me chan struct{}
	began, turns := time.Now(), 0
	l.mu.Lock()
	l.armed = false
	woken := true
	for {
		if (l.queue.n == 0 || turns%clockTurns == 0) && time.Since(began) > timeSlice {
			l.rest()
			began = time.Now()
		}
		standBy := woken && l.resting // who gives way holds no socket, and is no slower for it
		woken = false
		var s *Socket
		if !standBy {
			s = l.next()
		}
		switch {
		case s != nil:
			if !l.polling || l.queue.n > 0 { // who asks the kernel does not look at the queue
				l.wake()
			}
			l.mu.Unlock()
			turns++
			more := s.turn(&w)
			l.mu.Lock()
			if more {
				l.queue.push(s)
			}
			if len(w.works) > 0 {
				if more {
					l.wake()
				}
				l.mu.Unlock()
				w.do()
				l.mu.Lock()
			}
		case l.over:
			l.mu.Unlock()
			return
		case !l.polling && !standBy:
			l.polling = true
			l.mu.Unlock()
			n := l.kernel.Wait(l.events)
			l.mu.Lock()
			l.polling = false
			l.told(l.events[:n])
		case len(l.spares) < maxSpares:
			if me == nil {
				me = make(chan struct{}, 1)
			}
			l.spares = append(l.spares, me)
			l.mu.Unlock()
			<-me
			l.mu.Lock()
			l.armed = false
			woken = true
		default:
			l.mu.Unlock()
			return
		}
	}
}

// rest gives way to other goroutines, except to the worker that stands by: if that went on
// with the queue, this one would be one more, and one more each time. Called with mu held,
// which is given up meanwhile, between two turns.
func (l *Loop) rest() {
	l.resting = true
	l.mu.Unlock()
	runtime.Gosched()
	l.mu.Lock()
	l.resting = false
}

// wake makes a worker run, unless one is about to. Called with mu held.
func (l *Loop) wake() {
	if l.armed {
		return
	}
	l.armed = true
	n := len(l.spares) - 1
	if n < 0 {
		go l.work()
		return
	}
	l.spares[n] <- struct{}{}
	l.spares = l.spares[:n]
}

// next returns the socket whose turn it is; nil if none waits. Called with mu held.
func (l *Loop) next() *Socket {
	if l.turns <= 0 && l.queue.n > 0 {
		l.look()
	}
	l.turns--
	return l.queue.pop()
}

// look asks the kernel at the end of a round, which has as many turns as the queue was long
// when the kernel told something last, or was asked. If it were asked only when the queue is
// empty, sockets that always have more to read would keep all others waiting. What it tells
// of goes before those, which have a turn each before the kernel is asked again: so a
// socket waits for one round at most. Called with mu held.
func (l *Loop) look() {
	before := l.queue.n
	for n := batch; n == batch; {
		n = l.kernel.Look(l.looked)
		l.told(l.looked[:n])
	}
	l.queue.advance(l.queue.n - before)
}

// told queues the sockets that the kernel has told of, and begins a round. Called with mu held.
func (l *Loop) told(events []Event) {
	for _, e := range events {
		if s := l.socket(e); s != nil && s.happened(e.Kind) {
			l.queue.push(s)
		}
	}
	l.turns = l.queue.n
}

// socket returns the socket that e is about; nil if that is closed, in which case its
// descriptor may be another socket's by now.
func (l *Loop) socket(e Event) *Socket {
	if s := l.sockets[e.Descriptor]; s != nil && s.number == e.Number {
		return s
	}
	return nil
}

// enqueue gives a socket that is owned to a worker.
func (l *Loop) enqueue(s *Socket) {
	l.mu.Lock()
	l.queue.push(s)
	l.wake()
	l.mu.Unlock()
}
