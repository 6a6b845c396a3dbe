package main

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/frame"
)

// Each way does to the peer what its name says.
func TestWays(t *testing.T) {
	ends := func(err error) bool { return errors.Is(err, io.EOF) }
	for _, c := range []struct {
		name string
		sent int // bytes that the peer reads before
		end  func(error) bool
	}{
		{"reset", 0, func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{"end of the stream", 0, ends},
		{"end in mid-frame", 300, ends},
		{"half-close", 0, ends},
		{"silence", 0, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		{"garbage", len(garbage), func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		{"Close frame", len(masked(frame.Close, frame.AppendClose(nil, 1000, "soak"))), func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, peer := pair(t)
			killed := make(chan struct{})
			go func() {
				defer close(killed)
				wayOf(t, c.name).do(client)
			}()
			peer.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadFull(peer, make([]byte, c.sent)); err != nil {
				t.Fatal(err)
			}
			if c.end(os.ErrDeadlineExceeded) {
				peer.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			}
			if n, err := peer.Read(make([]byte, 1)); n > 0 || !c.end(err) {
				t.Errorf("the peer read %d more bytes, and %v", n, err)
			}
			if c.name == "silence" {
				return // it takes its time
			}
			peer.Close()
			select {
			case <-killed:
			case <-time.After(10 * time.Second):
				t.Error("it has not noticed that the peer is gone")
			}
			if _, err := client.Write([]byte("a")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the client can write: %v", err)
			}
		})
	}
	if len(ways) != 7 {
		t.Errorf("%d ways", len(ways))
	}
}

func wayOf(t *testing.T, name string) way {
	for _, w := range ways {
		if w.name == name {
			return w
		}
	}
	t.Fatalf("there is no way %q", name)
	return way{}
}

// A client whose sockets were killed opens no others; one that was reset does.
func TestTap(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var taps tap
	dial := func() error {
		_, err := taps.dial(t.Context(), "tcp", l.Addr().String())
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	held := taps.conns[0]
	taps.reset()
	if _, err := held.Write([]byte("a")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after a reset a write returns %v", err)
	}
	if err := dial(); err != nil {
		t.Errorf("after a reset: %v", err)
	}
	killed := 0
	taps.kill(func(c *net.TCPConn) {
		killed++
		c.Close()
	})
	if err := dial(); !errors.Is(err, errDead) || killed != 1 {
		t.Errorf("%d sockets were killed, and then: %v", killed, err)
	}
}

// pair returns both ends of a connection.
func pair(t *testing.T) (client, peer *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}
