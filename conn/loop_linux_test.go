package conn

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/netutil"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// overSockets returns both sides of a connection over l, of which ours is prepared before its
// loop gets it.
func overSockets(t *testing.T, l net.Listener, loop *Loop, prepare func(net.Conn)) (ours, theirs *Conn) {
	t.Helper()
	theirSide := must(net.Dial(l.Addr().Network(), l.Addr().String()))
	ourSide := must(l.Accept())
	if prepare != nil {
		prepare(ourSide)
	}
	ours = must(New(&handshake.Result{Conn: ourSide}, RoleServer, &Options{Loop: loop}))
	return ours, must(New(&handshake.Result{Conn: theirSide}, RoleClient, nil))
}

// echoOnce has ours echo, and theirs say something.
func echoOnce(t *testing.T, ours, theirs *Conn) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	Receive(ours, func(m Message) error {
		return ours.Write(context.Background(), m.Type, m.Payload)
	}, func(err error) { ended <- err })
	if err := theirs.Write(t.Context(), Text, []byte("hello")); err != nil {
		t.Error(err)
	}
	if _, p, err := theirs.Read(t.Context()); err != nil || string(p) != "hello" {
		t.Errorf("echo: %q, %v", p, err)
	}
	return ended
}

// wantUnused waits until l has no connection and no workers any more: Done comes a little
// before that.
func wantUnused(t *testing.T, l *Loop) {
	t.Helper()
	for unused, start := false, time.Now(); !unused; runtime.Gosched() {
		l.mu.Lock()
		unused = l.conns == 0 && l.taken == 0 && l.loop == nil
		if !unused && time.Since(start) > 10*time.Second {
			t.Fatalf("%d connections, of which %d on the loop, want none", l.conns, l.taken)
		}
		l.mu.Unlock()
	}
}

// What was set for a socket holds when a loop has taken it.
func TestLoopKeepsSocketOptions(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	loop := &Loop{}
	ours, theirs := overSockets(t, l, loop, func(nc net.Conn) {
		tcp := nc.(*net.TCPConn)
		tcp.SetLinger(7)
		tcp.SetNoDelay(false)
		tcp.SetKeepAlivePeriod(77 * time.Second)
	})
	socket := ours.stream.Looped()
	if socket == nil {
		t.Fatal("the loop has not taken the socket")
	}
	socket.Control(func(fd uintptr) {
		// The option is a struct of two ints, of which this gets the first: whether it is on.
		for name, o := range map[string]struct{ level, option, want int }{
			"TCP_NODELAY":  {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0},
			"TCP_KEEPIDLE": {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 77},
			"SO_LINGER":    {syscall.SOL_SOCKET, syscall.SO_LINGER, 1},
			"SO_KEEPALIVE": {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		} {
			if got, err := syscall.GetsockoptInt(int(fd), o.level, o.option); got != o.want || err != nil {
				t.Errorf("%s is %d, %v; want %d", name, got, err, o.want)
			}
		}
	})
	ended := echoOnce(t, ours, theirs)
	theirs.Close(frame.StatusNormalClosure, "")
	<-ended
	<-ours.Done()
	wantUnused(t, loop)
}

// Unix sockets are taken like TCP's, and have their addresses.
func TestLoopTakesUnixSockets(t *testing.T) {
	l := must(net.Listen("unix", filepath.Join(t.TempDir(), "socket")))
	defer l.Close()
	loop := &Loop{}
	var local, remote string
	ours, theirs := overSockets(t, l, loop, func(nc net.Conn) {
		local, remote = nc.LocalAddr().String(), nc.RemoteAddr().String()
	})
	if ours.stream.Looped() == nil {
		t.Error("the loop has not taken the socket")
	}
	if got := ours.LocalAddr(); got.String() != local || got.Network() != "unix" || ours.RemoteAddr().String() != remote {
		t.Errorf("the addresses are %v and %v, want %v and %v", got, ours.RemoteAddr(), local, remote)
	}
	ended := echoOnce(t, ours, theirs)
	theirs.CloseNow()
	<-ended
	<-ours.Done()
	wantUnused(t, loop)
}

// A connection that a listener has wrapped is left to it: its Close is called, though a
// socket lies below that a loop could take.
func TestLoopLeavesWrappedConnections(t *testing.T) {
	l := netutil.LimitListener(must(net.Listen("tcp", "127.0.0.1:0")), 1)
	defer l.Close()
	loop := &Loop{}
	for range 3 { // Accept waits for the Close before
		ours, theirs := overSockets(t, l, loop, nil)
		if ours.stream.Looped() != nil {
			t.Error("the loop has taken the socket below")
		}
		ended := echoOnce(t, ours, theirs)
		theirs.CloseNow()
		<-ended
		<-ours.Done()
		wantUnused(t, loop)
	}
}

// Dial, too, gives its connection to the loop of its options.
func TestLoopTakesDialed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, nil); err == nil {
			c.Each(context.Background(), func(Message) error { return nil })
		}
	}))
	defer server.Close()
	loop := &Loop{}
	c, _, err := Dial(t.Context(), server.URL, &DialOptions{Conn: Options{Loop: loop}})
	if err != nil {
		t.Fatal(err)
	}
	if c.stream.Looped() == nil {
		t.Error("the connection is not on the loop")
	}
	c.CloseNow()
	<-c.Done()
	wantUnused(t, loop)
}

// A wait that was woken is not left to the loop: nothing would end it.
func TestWokenIsNotParked(t *testing.T) {
	var in inbound
	in.wait.woken = true
	if in.park() {
		t.Error("a read that was woken is left to the loop")
	}
}

// A Loop ends with its last connection, and begins again, while others come and go.
func TestLoopEndsAndBegins(t *testing.T) {
	for _, after := range []int{0, 1, 3} {
		loop := &Loop{After: after}
		var all sync.WaitGroup
		for range 4 {
			l := must(net.Listen("tcp", "127.0.0.1:0"))
			defer l.Close()
			all.Go(func() {
				for i := range 100 {
					ours, theirs := overSockets(t, l, loop, nil)
					ended := echoOnce(t, ours, theirs)
					switch i % 3 {
					case 0:
						theirs.Close(frame.StatusNormalClosure, "")
					case 1:
						ours.CloseNow()
					case 2:
						theirs.CloseNow()
					}
					<-ended
					ours.CloseNow()
					theirs.CloseNow()
					<-ours.Done()
					<-theirs.Done()
				}
			})
		}
		all.Wait()
		wantUnused(t, loop)
	}
}
