package loop

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// connected returns the two ends of a connection, which end with the test.
func connected(t *testing.T, network string) (ours, theirs net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return ours, theirs
}

// taken returns an epoll that has taken a socket, and its peer.
func taken(t *testing.T, network string) (k *epoll, fd int32, theirs net.Conn) {
	t.Helper()
	ours, theirs := connected(t, network)
	k, ok := newKernel(ours).(*epoll)
	if !ok {
		t.Fatal("there is no kernel")
	}
	t.Cleanup(k.End)
	if fd, ok = k.Take(ours); !ok {
		t.Fatal("the kernel does not take a socket")
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("what was taken over is not closed: %v", err)
	}
	return k, fd, theirs
}

// Bytes, and the end, go through sockets of both kinds.
func TestEpollReadsAndWrites(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		k, fd, theirs := taken(t, network)
		p := make([]byte, 8)
		if n, err := k.Read(fd, p); n != 0 || err != ErrAgain {
			t.Errorf("%s: Read = %d, %v, want none, and to be asked again", network, n, err)
		}
		if n, err := k.Write(fd, []byte("abc")); n != 3 || err != nil {
			t.Errorf("%s: Write = %d, %v", network, n, err)
		}
		if _, err := io.ReadFull(theirs, p[:3]); err != nil || string(p[:3]) != "abc" {
			t.Errorf("%s: the peer reads %q, %v", network, p[:3], err)
		}
		controlled := uintptr(0)
		if err := k.Control(fd, func(fd uintptr) { controlled = fd }); err != nil || controlled != uintptr(fd) {
			t.Errorf("%s: Control of %d with %d, %v", network, fd, controlled, err)
		}
		if err := k.CloseWrite(fd); err != nil {
			t.Errorf("%s: CloseWrite: %v", network, err)
		}
		if n, err := theirs.Read(p); n != 0 || err != io.EOF {
			t.Errorf("%s: the peer reads %d bytes, %v, want the end", network, n, err)
		}
		k.Close(fd)
		if n, err := k.Read(fd, p); n != 0 || err != syscall.EBADF {
			t.Errorf("%s: Read of what is closed = %d, %v", network, n, err)
		}
	}
}

// What is no socket, or has a Read of its own, is not taken.
func TestEpollTakesNothingElse(t *testing.T) {
	k, fd, _ := taken(t, "tcp")
	defer k.Close(fd)
	wrapped, _ := connected(t, "tcp")
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	for _, nc := range []net.Conn{ours, struct{ *net.TCPConn }{wrapped.(*net.TCPConn)}} {
		if newKernel(nc) != nil {
			t.Errorf("there is a kernel for a %T", nc)
		}
		if _, ok := k.Take(nc); ok {
			t.Errorf("a %T is taken", nc)
		}
	}
}

// Where the process may have no more descriptors there is no kernel, and a stream stays as it is.
func TestNoDescriptors(t *testing.T) {
	k, fd, _ := taken(t, "tcp")
	defer k.Close(fd)
	ours, theirs := connected(t, "tcp")
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	none := newKernel(ours)
	_, ok := k.Take(ours)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if none != nil || ok {
		t.Errorf("a kernel: %t, taken: %t; want neither", none != nil, ok)
	}
	if _, err := ours.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(theirs, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// Each change is told once, and again when there is another one.
func TestEpollTells(t *testing.T) {
	k, fd, theirs := taken(t, "tcp")
	defer k.Close(fd)
	const number = 7
	if err := k.Watch(fd, number); err != nil {
		t.Fatal(err)
	}
	events := make([]Event, batch)
	told := func(what string, want Kind) {
		t.Helper()
		if n := k.Wait(events); n != 1 || events[0] != (Event{fd, number, want}) {
			t.Errorf("%s: %d events, the first %+v; want %+v", what, n, events[0], want)
		}
		if n := k.Look(events); n != 0 {
			t.Errorf("%s is told again", what)
		}
	}
	told("a new socket", Writable)
	for range 20 {
		go theirs.Write([]byte("x")) // Wait waits, as a rule
		told("a byte", Readable|Writable)
	}
	theirs.(*net.TCPConn).CloseWrite()
	n := 0
	for ; n == 0; n = k.Look(events) {
		runtime.Gosched()
	}
	if want := (Event{fd, number, Readable | Writable | Ended}); n != 1 || events[0] != want {
		t.Errorf("Look tells of %d events, the first %+v; want %+v", n, events[0], want)
	}
	if err := k.Watch(fd, number); err != syscall.EEXIST {
		t.Errorf("Watch of what is watched: %v", err)
	}
	k.End()
	if waited, looked := k.Wait(events), k.Look(events); waited != 0 || looked != 0 {
		t.Errorf("after the end Wait tells of %d events, and Look of %d", waited, looked)
	}
	if err := k.Watch(fd, number); err == nil {
		t.Error("a socket is watched after the end")
	}
}

// A socket that is closed is not watched any more, though another process may have a copy of
// its descriptor.
func TestEpollCloseOfACopy(t *testing.T) {
	k, fd, theirs := taken(t, "tcp")
	if err := k.Watch(fd, 1); err != nil {
		t.Fatal(err)
	}
	events := make([]Event, batch)
	k.Wait(events)
	copied, err := syscall.Dup(int(fd))
	if err != nil {
		t.Fatal(err)
	}
	k.Close(fd)
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for n := 0; n != 1; n, _ = syscall.Read(copied, make([]byte, 1)) {
		runtime.Gosched()
	}
	if n := k.Look(events); n != 0 {
		t.Errorf("%d events of a socket that is closed", n)
	}
	syscall.Close(copied)
	if n, err := theirs.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the peer reads %d bytes, %v, want the end", n, err)
	}
}

func TestKinds(t *testing.T) {
	for bits, want := range map[uint32]Kind{
		0:                                    0,
		syscall.EPOLLPRI:                     0,
		syscall.EPOLLIN:                      Readable,
		syscall.EPOLLOUT:                     Writable,
		syscall.EPOLLIN | syscall.EPOLLOUT:   Readable | Writable,
		syscall.EPOLLRDHUP:                   Readable | Ended,
		syscall.EPOLLHUP:                     Readable | Writable | Ended,
		syscall.EPOLLERR:                     Readable | Writable | Ended,
		syscall.EPOLLIN | syscall.EPOLLRDHUP: Readable | Ended,
	} {
		if got := kindOf(bits); got != want {
			t.Errorf("kindOf(%#x) = %b, want %b", bits, got, want)
		}
	}
}

// A failure of epoll_wait(2) ends the wait, and tells of nothing.
func TestAskFails(t *testing.T) {
	a := answer{list: make([]syscall.EpollEvent, 1)}
	if !a.ask(^uintptr(0)) || a.err != syscall.EBADF {
		t.Errorf("ask of no descriptor: %v", a.err)
	}
	if n := a.tell(make([]Event, 1)); n != 0 {
		t.Errorf("%d events", n)
	}
}

// A system call goes on after signals, and nothing is as much as an error.
func TestTry(t *testing.T) {
	for _, c := range []struct {
		n    int
		err  error
		want error
	}{
		{3, nil, nil},
		{0, nil, nil},
		{-1, syscall.EAGAIN, ErrAgain},
		{-1, syscall.EPIPE, syscall.EPIPE},
	} {
		signals := 2
		n, err := try(func(fd int, p []byte) (int, error) {
			if fd != 5 || string(p) != "abc" {
				t.Errorf("called with %d, %q", fd, p)
			}
			if signals--; signals >= 0 {
				return -1, syscall.EINTR
			}
			return c.n, c.err
		}, 5, []byte("abc"))
		if n != max(c.n, 0) || err != c.want || signals != -1 {
			t.Errorf("%v: %d, %v after %d calls", c.err, n, err, 2-signals)
		}
	}
}
