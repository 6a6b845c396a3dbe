package loop

import (
	"net"
	"os"
	"syscall"
)

// An epoll is the Kernel of Linux (epoll(7)), for TCP and Unix sockets. Its sockets are
// not in the runtime's poller, which would be told of each message as well. Only the
// epoll descriptor itself is: while Wait has nothing to do its goroutine is parked.
type epoll struct {
	file *os.File
	raw  syscall.RawConn

	// What Wait and Look call is made once: a closure for each call would be an allocation
	// for each.
	wait, look answer
	onWait     func(fd uintptr) bool
	onLook     func(fd uintptr)
}

// An answer is what epoll_wait(2) has told.
type answer struct {
	list   []syscall.EpollEvent
	events int
	err    error
}

// newKernel returns an epoll for a stream that it can take, or nil.
func newKernel(nc net.Conn) Kernel {
	if socketOf(nc) == nil {
		return nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that the runtime's poller takes it
		syscall.Close(fd)
		return nil
	}
	k := &epoll{file: os.NewFile(uintptr(fd), "epoll")}
	k.wait.list, k.look.list = make([]syscall.EpollEvent, batch), make([]syscall.EpollEvent, batch)
	k.onWait = k.wait.ask
	k.onLook = func(fd uintptr) { k.look.ask(fd) }
	if k.raw, err = k.file.SyscallConn(); err != nil {
		k.file.Close()
		return nil
	}
	return k
}

// socketOf returns the socket of a plain TCP or Unix connection, and nil for anything
// else. A type that embeds one has the method too, but may have a Read of its own.
func socketOf(nc net.Conn) (raw syscall.RawConn) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, _ = nc.SyscallConn()
	case *net.UnixConn:
		raw, _ = nc.SyscallConn()
	}
	return raw
}

// Take implements Kernel. The descriptor of nc is in the runtime's poller for good, so
// that a copy takes its place.
func (k *epoll) Take(nc net.Conn) (fd int32, ok bool) {
	raw := socketOf(nc)
	if raw == nil {
		return 0, false
	}
	raw.Control(func(old uintptr) {
		r, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		fd, ok = int32(r), errno == 0
	})
	if ok {
		nc.Close()
	}
	return fd, ok
}

// What epoll(7) has no constants of the right type for.
const (
	edgeTriggered = 1 << 31
	ended         = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
)

// Watch implements Kernel.
func (k *epoll) Watch(fd, number int32) error {
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edgeTriggered, Fd: fd, Pad: number}
	var err error
	if e := k.raw.Control(func(epfd uintptr) { err = syscall.EpollCtl(int(epfd), syscall.EPOLL_CTL_ADD, int(fd), &e) }); e != nil {
		return e
	}
	return err
}

// Wait implements Kernel. Its goroutine is parked only after asking has told nothing: while
// there is work a call is one system call.
func (k *epoll) Wait(events []Event) int {
	if k.raw.Read(k.onWait) != nil {
		return 0
	}
	return k.wait.tell(events)
}

// Look implements Kernel.
func (k *epoll) Look(events []Event) int {
	if k.raw.Control(k.onLook) != nil {
		return 0
	}
	return k.look.tell(events)
}

// ask asks without waiting. It returns false if there is nothing to tell.
func (a *answer) ask(fd uintptr) bool {
	for {
		a.events, a.err = syscall.EpollWait(int(fd), a.list, 0)
		if a.err != syscall.EINTR {
			a.events = max(a.events, 0)
			return a.events > 0 || a.err != nil
		}
	}
}

// tell returns the answer as events.
func (a *answer) tell(events []Event) int {
	for i, e := range a.list[:a.events] {
		events[i] = Event{e.Fd, e.Pad, kindOf(e.Events)}
	}
	return a.events
}

func kindOf(bits uint32) (k Kind) {
	if bits&(syscall.EPOLLIN|ended) != 0 {
		k |= Readable
	}
	if bits&(syscall.EPOLLOUT|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		k |= Writable
	}
	if bits&ended != 0 {
		k |= Ended
	}
	return k
}

// Read implements Kernel.
func (k *epoll) Read(fd int32, p []byte) (int, error) { return try(syscall.Read, fd, p) }

// Write implements Kernel.
func (k *epoll) Write(fd int32, p []byte) (int, error) { return try(syscall.Write, fd, p) }

// try calls read(2) or write(2) until no signal comes in between.
func try(call func(int, []byte) (int, error), fd int32, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		switch err {
		case nil:
			return n, nil
		case syscall.EAGAIN:
			return 0, ErrAgain
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}

// CloseWrite implements Kernel.
func (k *epoll) CloseWrite(fd int32) error { return syscall.Shutdown(int(fd), syscall.SHUT_WR) }

// Control implements Kernel.
func (k *epoll) Control(fd int32, f func(fd uintptr)) error {
	f(uintptr(fd))
	return nil
}

// Close implements Kernel. A copy of the descriptor, of which there may be one in another
// process, would keep its registration.
func (k *epoll) Close(fd int32) {
	k.raw.Control(func(epfd uintptr) { syscall.EpollCtl(int(epfd), syscall.EPOLL_CTL_DEL, int(fd), nil) })
	syscall.Close(int(fd))
}

// End implements Kernel.
func (k *epoll) End() { k.file.Close() }
