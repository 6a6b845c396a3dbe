package loop

import (
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A fake is a Kernel whose sockets do what the test says.
type fake struct {
	Kernel
	refuses bool  // to take a stream
	watch   error // what Watch returns
	read    func(p []byte) (int, error)
	wrote   int // what Write returns
	err     error
	reads   int
	closed  []int32
	next    int32 // descriptor
}

func (k *fake) Take(net.Conn) (int32, bool) {
	if k.refuses {
		return 0, false
	}
	k.next += 3
	return k.next, true
}

func (k *fake) Watch(fd, number int32) error { return k.watch }

func (k *fake) Read(_ int32, p []byte) (int, error) {
	k.reads++
	return k.read(p)
}

func (k *fake) Write(int32, []byte) (int, error)           { return k.wrote, k.err }
func (k *fake) CloseWrite(int32) error                     { return k.err }
func (k *fake) Control(fd int32, f func(fd uintptr)) error { f(uintptr(fd)); return k.err }
func (k *fake) Close(fd int32)                             { k.closed = append(k.closed, fd) }
func (k *fake) End()                                       {}

// take has a Loop without workers take a stream.
func (k *fake) take(l *Loop) *Socket {
	l.kernel = k
	return l.Take(addressed{})
}

// A socket is known by its descriptor and its number until it is closed.
func TestSocketsAreKnown(t *testing.T) {
	k, l := &fake{}, &Loop{}
	a, b := k.take(l), k.take(l)
	for _, s := range []*Socket{a, b} {
		if got := l.socket(Event{s.fd, s.number, Readable}); got != s {
			t.Errorf("descriptor %d, number %d is another socket", s.fd, s.number)
		}
		if l.socket(Event{s.fd, s.number + 1, Readable}) != nil {
			t.Errorf("descriptor %d is a socket with another number", s.fd)
		}
	}
	if a.number == b.number {
		t.Error("two sockets have one number")
	}
	a.Close()
	if l.sockets[a.fd] != nil || l.socket(Event{a.fd, a.number, Readable}) != nil {
		t.Error("a socket that is closed is known")
	}
	if l.sockets[b.fd] != b || len(k.closed) != 1 || k.closed[0] != a.fd {
		t.Errorf("one of two sockets is closed, and of descriptors %d", k.closed)
	}
	k.refuses = true
	if k.take(l) != nil {
		t.Error("a stream is taken that the kernel does not take")
	}
}

// The first read tells that the kernel does not watch a socket.
func TestUnwatched(t *testing.T) {
	k := &fake{watch: errors.New("too many")}
	s := k.take(&Loop{})
	if n, again, err := s.TryRead(make([]byte, 1)); n != 0 || again || err != errUnwatched {
		t.Errorf("TryRead = %d, %t, %v", n, again, err)
	}
}

// A descriptor is closed once nobody uses it, and every call that did lets go of it.
func TestLastUseCloses(t *testing.T) {
	for name, use := range map[string]func(s *Socket){
		"nothing":    func(*Socket) {},
		"TryRead":    func(s *Socket) { s.TryRead(make([]byte, 1)) },
		"TryWrite":   func(s *Socket) { s.TryWrite(make([]byte, 1)) },
		"CloseWrite": func(s *Socket) { s.CloseWrite() },
		"Control":    func(s *Socket) { s.Control(func(uintptr) {}) },
	} {
		k := &fake{read: func([]byte) (int, error) { return 0, ErrAgain }}
		s := k.take(&Loop{})
		use(s)
		for range 2 {
			if !s.acquire() {
				t.Fatalf("%s: the socket is closed", name)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if s.acquire() {
			t.Errorf("%s: what is closed is used", name)
		}
		if s.release(); len(k.closed) > 0 {
			t.Errorf("%s: closed while it is used", name)
		}
		if s.release(); len(k.closed) != 1 {
			t.Errorf("%s: not closed after the last use", name)
		}
	}
}

// Whatever is done at that moment, a socket is closed once.
func TestCloseMeetsUse(t *testing.T) {
	for range 200 {
		k := &fake{}
		s := k.take(&Loop{})
		var uses atomic.Int32
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for s.acquire() {
				uses.Add(1)
				s.release()
			}
		}()
		for uses.Load() < 10 {
			runtime.Gosched()
		}
		first, second := s.Close(), s.Close()
		<-ended
		if first != nil || second != net.ErrClosed || len(k.closed) != 1 {
			t.Fatalf("Close: %v, and then %v; closed %d times", first, second, len(k.closed))
		}
	}
}

// Calls on a socket that is closed do nothing and say so.
func TestClosed(t *testing.T) {
	p := make([]byte, 1)
	only := func(err error) (int, error) { return 0, err }
	for name, call := range map[string]func(s *Socket) (int, error){
		"TryRead":          func(s *Socket) (int, error) { n, _, err := s.TryRead(p); return n, err },
		"TryWrite":         func(s *Socket) (int, error) { return s.TryWrite(p) },
		"WriteSome":        func(s *Socket) (int, error) { return s.WriteSome(p) },
		"Read":             func(s *Socket) (int, error) { return s.Read(p) },
		"Write":            func(s *Socket) (int, error) { return s.Write(p) },
		"WaitRead":         func(s *Socket) (int, error) { return only(s.WaitRead()) },
		"WaitWrite":        func(s *Socket) (int, error) { return only(s.WaitWrite()) },
		"CloseWrite":       func(s *Socket) (int, error) { return only(s.CloseWrite()) },
		"Close":            func(s *Socket) (int, error) { return only(s.Close()) },
		"SetDeadline":      func(s *Socket) (int, error) { return only(s.SetDeadline(time.Now())) },
		"SetReadDeadline":  func(s *Socket) (int, error) { return only(s.SetReadDeadline(time.Now())) },
		"SetWriteDeadline": func(s *Socket) (int, error) { return only(s.SetWriteDeadline(time.Now())) },
		"no deadline":      func(s *Socket) (int, error) { return only(s.SetDeadline(time.Time{})) },
		"no read deadline": func(s *Socket) (int, error) { return only(s.SetReadDeadline(time.Time{})) },
		"Control": func(s *Socket) (int, error) {
			return only(s.Control(func(uintptr) { t.Error("Control calls with a descriptor that is closed") }))
		},
		"a second Read of a drained socket": func(s *Socket) (int, error) {
			s.drained = true
			s.Read(p)
			return s.Read(p)
		},
	} {
		s := (&fake{}).take(&Loop{})
		s.Close()
		if n, err := call(s); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s = %d, %v", name, n, err)
		}
	}
}

// A Socket returns what the kernel says.
func TestKernelsAnswers(t *testing.T) {
	failure := errors.New("failure")
	for _, c := range []struct {
		n, want   int
		err       error
		again     bool
		wantRead  error
		wantWrite error
	}{
		{n: 3, want: 3},
		{err: ErrAgain, again: true},
		{wantRead: io.EOF},
		{err: failure, wantRead: failure, wantWrite: failure},
	} {
		k := &fake{wrote: c.n, err: c.err, read: func([]byte) (int, error) { return c.n, c.err }}
		s := k.take(&Loop{})
		if n, again, err := s.TryRead(make([]byte, 5)); n != c.want || again != c.again || err != c.wantRead {
			t.Errorf("after %d, %v: TryRead = %d, %t, %v", c.n, c.err, n, again, err)
		}
		if n, err := s.TryWrite(make([]byte, 5)); n != c.want || err != c.wantWrite {
			t.Errorf("after %d, %v: TryWrite = %d, %v", c.n, c.err, n, err)
		}
		called := uintptr(0)
		if err := s.Control(func(fd uintptr) { called = fd }); err != c.err || called != uintptr(s.fd) {
			t.Errorf("Control: %v with %d, want %v with %d", err, called, c.err, s.fd)
		}
		if err := s.CloseWrite(); err != c.err {
			t.Errorf("CloseWrite: %v, want %v", err, c.err)
		}
	}
}

// What a read has emptied is not read again until the kernel tells of more, or of the end, or the
// caller asks for it.
func TestDrainedIsNotRead(t *testing.T) {
	n := 0
	k := &fake{read: func([]byte) (int, error) {
		if n == 0 {
			return 0, ErrAgain
		}
		return n, nil
	}}
	s := k.take(&Loop{})
	for i, c := range []struct {
		before func()
		n      int // that the kernel has, of room for 10
		reads  int
	}{
		{func() {}, 10, 1},
		{func() {}, 9, 1},
		{func() {}, 5, 0},
		{func() { s.happened(Writable) }, 5, 0},
		{func() { s.happened(Readable) }, 0, 1},
		{func() {}, 5, 0},
		{s.Ask, 10, 1},
		{func() {}, 0, 1},
		{func() { s.happened(Readable | Ended) }, 0, 1},
		{func() {}, 0, 1},
	} {
		c.before()
		n, k.reads = c.n, 0
		got, again, err := s.TryRead(make([]byte, 10))
		if k.reads != c.reads || err != nil || again != (c.reads*c.n == 0) || got != c.reads*c.n {
			t.Errorf("%d: TryRead = %d, %t, %v after %d reads, want %d", i, got, again, err, k.reads, c.reads)
		}
	}
}

// A taker is a Reader that reads into p, and counts the bytes.
type taker struct {
	s *Socket
	p []byte
	n int
}

func (r *taker) Readable(*Worker) bool {
	for {
		n, again, err := r.s.TryRead(r.p)
		if again || err != nil {
			return true
		}
		r.n += n
	}
}

// A Reader gets 96 KiB in a turn, no byte less, and no more unless it asks for it. It is queued
// again then.
func TestTurnBytes(t *testing.T) {
	k := &fake{read: func(p []byte) (int, error) { return len(p), nil }}
	s := k.take(&Loop{})
	r := &taker{s: s}
	s.reader = r
	s.state.Store(served | owned)
	for _, size := range []int{1 << 10, 1, 1 << 10} {
		r.p, r.n = make([]byte, size), 0
		if !s.turn(nil) || r.n != 96<<10 {
			t.Errorf("a turn reads %d bytes by %d, want %d", r.n, size, 96<<10)
		}
	}
	if n, again, err := s.TryRead(make([]byte, 1)); n != 0 || !again || err != nil {
		t.Errorf("after the turn: TryRead = %d, %t, %v", n, again, err)
	}
	s.Ask()
	if n, again, err := s.TryRead(make([]byte, 1)); n != 1 || again || err != nil {
		t.Errorf("asked for more: TryRead = %d, %t, %v", n, again, err)
	}
	if s.Stop(); s.reader != nil {
		t.Error("a Reader is kept after Stop")
	}
	for range 200 { // nobody else waits for a turn
		if n, _, err := s.TryRead(make([]byte, 1<<10)); n != 1<<10 || err != nil {
			t.Fatalf("after Stop: TryRead = %d, %v", n, err)
		}
	}
}

func TestHappened(t *testing.T) {
	for _, c := range []struct {
		state        uint32
		kind         Kind
		want         uint32
		queue, woken bool
	}{
		{0, Readable, ready, false, false},
		{0, Ended, ready | hasEnded, false, false},
		{0, Writable, writable, false, false},
		{0, Readable | Writable, ready | writable, false, false},
		{served, Readable, served | ready | owned, true, false},
		{served, Ended, served | ready | hasEnded | owned, true, false},
		{served, Writable, served | writable, false, false},
		{served | ready, Writable, served | ready | writable, false, false},
		{served | owned, Readable, served | owned | ready, false, false},
		{owned, Readable, owned | ready, false, false},
		{reading, Readable, reading | ready, false, true},
		{reading, Ended, reading | ready | hasEnded, false, true},
		{reading, Writable, reading | writable, false, false},
		{reading | ready, Writable, reading | ready | writable, false, false},
		{writing, Writable, writing | writable, false, true},
		{writing, Readable, writing | ready, false, false},
		{writing | writable, Readable, writing | writable | ready, false, false},
		{reading | writing, Readable | Writable, reading | writing | ready | writable, false, true},
	} {
		s := &Socket{}
		w := s.sides()
		s.state.Store(c.state)
		queue := s.happened(c.kind)
		if got := s.state.Load(); got != c.want || queue != c.queue {
			t.Errorf("%b in %b: %b, queued %t; want %b, %t", c.kind, c.state, got, queue, c.want, c.queue)
		}
		if len(w.read.changed) != len(w.write.changed) || len(w.read.changed) == 1 != c.woken {
			t.Errorf("%b in %b: reads are woken: %t, writes: %t; want %t", c.kind, c.state, len(w.read.changed) == 1, len(w.write.changed) == 1, c.woken)
		}
	}
}

// A socket that is closed has no timers, and one that has no deadline needs nothing for it.
func TestDeadlinesCostNothing(t *testing.T) {
	k := &fake{}
	s := k.take(&Loop{})
	if err := s.SetDeadline(time.Time{}); err != nil || s.waits.Load() != nil {
		t.Errorf("without a deadline: %v, %v", s.waits.Load(), err)
	}
	s.SetDeadline(time.Now().Add(time.Hour))
	w := s.waits.Load()
	if w.read.timer == nil || w.write.timer == nil {
		t.Error("a deadline has no timer")
	}
	if s.Close(); w.read.timer != nil || w.write.timer != nil {
		t.Error("a socket that is closed has a timer")
	}
}

// A deadline that is moved at the moment when its timer fires does not pass.
func TestMovedAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 40 {
			s := (&fake{}).take(&Loop{})
			next := time.Time{}
			if i%2 == 0 {
				next = time.Now().Add(time.Hour)
			}
			for fired := false; !fired; {
				s.SetReadDeadline(time.Now().Add(time.Second))
				w := s.waits.Load()
				w.mu.Lock() // which the timer waits for
				time.Sleep(time.Second)
				fired = !w.read.timer.Stop() // of two timers either may be the first
				w.mu.Unlock()
				s.SetReadDeadline(next)
				synctest.Wait()
				if w.late(&w.read) {
					t.Fatal("the deadline has passed")
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A worker is woken after the end of a Loop, though the others that waited are gone.
func TestWakeAfterTheEnd(t *testing.T) {
	l := &Loop{kernel: &fake{}, spares: []chan struct{}{make(chan struct{}, 1)}}
	spare := l.spares[0]
	l.Close()
	if _, open := <-spare; open {
		t.Error("a worker that waits does not learn of the end")
	}
	l.mu.Lock()
	l.wake()
	l.mu.Unlock()
}
