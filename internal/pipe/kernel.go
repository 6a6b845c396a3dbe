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
	conns   []*conn   // by descriptor; never taken out, so that a number is never used again
	numbers []int32   // by descriptor; 0: not watched yet
	order   []int32   // descriptors of which there is something to tell
	kinds   []loop.Kind
	over    bool
}

// Loop lets loops have connections of this package, beside those that they have anyway.
// It is called once, before any loop is used.
func Loop() {
	others := loop.NewKernel
	loop.NewKernel = func(nc net.Conn) loop.Kernel {
		if _, ok := nc.(*conn); !ok {
			return others(nc)
		}
		k := &kernel{}
		k.changed.L = &k.mu
		return k
	}
}

// Take implements loop.Kernel.
func (k *kernel) Take(nc net.Conn) (fd int32, ok bool) {
	c, ok := nc.(*conn)
	if !ok {
		return 0, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns, k.numbers, k.kinds = append(k.conns, c), append(k.numbers, 0), append(k.kinds, 0)
	return int32(len(k.conns) - 1), true
}

// Watch implements loop.Kernel.
func (k *kernel) Watch(fd, number int32) error {
	c := k.conn(fd)
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
	k.tell(fd, loop.Readable|loop.Writable)
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
	n, again, err := k.conn(fd).in.tryRead(p)
	if again {
		err = loop.ErrAgain
	}
	return n, err
}

// Write implements loop.Kernel.
func (k *kernel) Write(fd int32, p []byte) (int, error) {
	n, err := k.conn(fd).out.tryWrite(p)
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
	c := k.conn(fd)
	c.in.watch(readingEnd, nil)
	c.out.watch(writingEnd, nil)
	c.Close()
}

// End implements loop.Kernel.
func (k *kernel) End() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	k.changed.Signal()
}

func (k *kernel) conn(fd int32) *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conns[fd]
}
