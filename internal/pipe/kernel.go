package pipe

import (
	"errors"
	"net"
	"sync"

	"github.com/parleyws/parley/internal/loop"
)

// A kernel has connections of this package for a loop, as the operating system has
// sockets. A call of Wait blocks durably in a bubble.
type kernel struct {
	mu      sync.Mutex
	changed sync.Cond // uses mu
	conns   []Wrapper // by descriptor; never taken out, so that a number is never used again
	numbers []int32   // by descriptor; 0: not watched yet
	order   []int32   // descriptors of which there is something to tell
	kinds   []loop.Kind
	over    bool
}

// A Wrapper is a connection of this package with something around it that a loop must
// not pass over. TryRead and TryWrite of this package do what is left to do.
type Wrapper interface {
	net.Conn
	Unwrap() net.Conn
	// TryRead reads what there is. again tells that there is nothing.
	TryRead(p []byte) (n int, again bool, err error)
	// TryWrite takes what there is room for.
	TryWrite(p []byte) (int, error)
	CloseWrite() error
}

// TryRead reads from a connection of this package what there is. again tells that there is
// nothing. The end of the stream is 0 and no error.
func TryRead(nc net.Conn, p []byte) (n int, again bool, err error) { return nc.(*conn).in.tryRead(p) }

// TryWrite writes of p what there is room for.
func TryWrite(nc net.Conn, p []byte) (int, error) { return nc.(*conn).out.tryWrite(p) }

// bare is a Wrapper with nothing.
type bare struct{ *conn }

func (b bare) Unwrap() net.Conn                                { return b.conn }
func (b bare) TryRead(p []byte) (n int, again bool, err error) { return TryRead(b.conn, p) }
func (b bare) TryWrite(p []byte) (int, error)                  { return TryWrite(b.conn, p) }

// wrapperOf returns nc as a Wrapper; nil if it is no connection of this package.
func wrapperOf(nc net.Conn) Wrapper {
	switch nc := nc.(type) {
	case *conn:
		return bare{nc}
	case Wrapper:
		return nc
	}
	return nil
}

// Loop lets loops have connections of this package, beside those that they have anyway.
// It is called once, before any loop is used.
func Loop() {
	others := loop.NewKernel
	loop.NewKernel = func(nc net.Conn) loop.Kernel {
		if wrapperOf(nc) == nil {
			return others(nc)
		}
		k := &kernel{}
		k.changed.L = &k.mu
		return k
	}
}

// Take implements loop.Kernel.
func (k *kernel) Take(nc net.Conn) (fd int32, ok bool) {
	c := wrapperOf(nc)
	if c == nil {
		return 0, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns, k.numbers, k.kinds = append(k.conns, c), append(k.numbers, 0), append(k.kinds, 0)
	return int32(len(k.conns) - 1), true
}

// Watch implements loop.Kernel.
func (k *kernel) Watch(fd, number int32) error {
	c := k.conn(fd).Unwrap().(*conn)
	k.mu.Lock()
	k.numbers[fd] = number
	k.mu.Unlock()
	c.in.watch(readingEnd, func() {
		kind := loop.Readable
		if c.in.writeClosed {
			kind |= loop.Ended
		}
		k.tell(fd, kind)
	})
	c.out.watch(writingEnd, func() { k.tell(fd, loop.Writable) })
	return nil
}

// tell takes note of an event.
func (k *kernel) tell(fd int32, kind loop.Kind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kinds[fd] == 0 {
		k.order = append(k.order, fd)
	}
	k.kinds[fd] |= kind
	k.changed.Signal()
}

// Wait implements loop.Kernel.
func (k *kernel) Wait(events []loop.Event) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.order) == 0 && !k.over {
		k.changed.Wait()
	}
	return k.take(events)
}

// Look implements loop.Kernel.
func (k *kernel) Look(events []loop.Event) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.take(events)
}

// take returns what there is to tell. Called with mu held.
func (k *kernel) take(events []loop.Event) int {
	if k.over {
		return 0
	}
	n := min(len(events), len(k.order))
	for i, fd := range k.order[:n] {
		events[i] = loop.Event{Descriptor: fd, Number: k.numbers[fd], Kind: k.kinds[fd]}
		k.kinds[fd] = 0
	}
	k.order = append(k.order[:0], k.order[n:]...)
	return n
}

// Read implements loop.Kernel.
func (k *kernel) Read(fd int32, p []byte) (int, error) {
	n, again, err := k.conn(fd).TryRead(p)
	if again {
		err = loop.ErrAgain
	}
	return n, err
}

// Write implements loop.Kernel.
func (k *kernel) Write(fd int32, p []byte) (int, error) {
	n, err := k.conn(fd).TryWrite(p)
	if n == 0 && err == nil && len(p) > 0 {
		err = loop.ErrAgain
	}
	return n, err
}

// CloseWrite implements loop.Kernel.
func (k *kernel) CloseWrite(fd int32) error { return k.conn(fd).CloseWrite() }

// Control implements loop.Kernel.
func (k *kernel) Control(int32, func(fd uintptr)) error { return errors.ErrUnsupported }

// Close implements loop.Kernel.
func (k *kernel) Close(fd int32) {
	w := k.conn(fd)
	c := w.Unwrap().(*conn)
	c.in.watch(readingEnd, nil)
	c.out.watch(writingEnd, nil)
	w.Close()
}

// End implements loop.Kernel.
func (k *kernel) End() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.changed.Signal()
}

func (k *kernel) conn(fd int32) Wrapper {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conns[fd]
}
