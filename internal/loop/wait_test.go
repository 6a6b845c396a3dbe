package loop_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/parleyws/parley/internal/loop"
)

// A Socket is a net.Conn like any other.
func TestConn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
			ours, theirs := s.open()
			return ours, theirs, func() { ours.Close(); theirs.Close() }, nil
		})
	})
}

// A reader may take turns: wait as a goroutine, be served, and wait again. Nothing is lost.
func TestTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		socket, theirs := s.open()
		defer theirs.Close()
		b := make([]byte, 1)
		for i := range 200 {
			if i%3 == 0 {
				theirs.Write([]byte{byte(i)})
			}
			if i%2 == 0 {
				if i%3 != 0 {
					theirs.Write([]byte{byte(i)})
				}
				if _, err := io.ReadFull(socket, b); err != nil || b[0] != byte(i) {
					t.Fatalf("round %d: read %d, %v", i, b[0], err)
				}
				continue
			}
			got := make(chan byte)
			socket.Serve(once{socket, got})
			if i%3 != 0 {
				theirs.Write([]byte{byte(i)})
			}
			if n := <-got; n != byte(i) {
				t.Fatalf("round %d: served %d", i, n)
			}
		}
	})
}

// once is a Reader that reads a byte and stops.
type once struct {
	s   *loop.Socket
	got chan byte
}

func (o once) Readable(*loop.Worker) (again bool) {
	b := make([]byte, 1)
	if n, _, _ := o.s.TryRead(b); n == 1 {
		o.s.Stop()
		o.got <- b[0]
		return false
	}
	return true
}

// A deadline that passes pokes a Reader, which goes on.
func TestDeadlinePokes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		socket, theirs := s.open()
		defer theirs.Close()
		called := make(chan struct{}, 10)
		socket.Serve(caller{socket, called})
		<-called
		socket.SetReadDeadline(time.Unix(1, 0))
		<-called
		socket.SetReadDeadline(time.Time{})
		theirs.Write([]byte("x"))
		<-called
	})
}

// caller is a Reader that tells of each call.
type caller struct {
	s      *loop.Socket
	called chan struct{}
}

func (c caller) Readable(*loop.Worker) bool {
	for b := make([]byte, 10); ; {
		_, again, err := c.s.TryRead(b)
		switch {
		case again:
			c.called <- struct{}{}
			return true
		case err != nil:
			c.s.Stop()
			return false
		}
	}
}

// A write that finds no room waits for it, or until its deadline.
func TestWriteWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		socket, theirs := s.open()
		defer theirs.Close()
		const size = 16 << 20
		written := make(chan error, 1)
		go func() {
			_, err := socket.Write(make([]byte, size))
			written <- err
		}()
		if n, err := io.CopyN(io.Discard, theirs, size); err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		socket.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := socket.Write(make([]byte, size)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v", err)
		}
		go func() {
			_, err := socket.Write(make([]byte, size))
			written <- err
		}()
		if err := <-written; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write after the deadline: %v", err)
		}
		socket.SetWriteDeadline(time.Time{})
		go func() {
			_, err := socket.Write(make([]byte, size))
			written <- err
		}()
		socket.Close()
		if err := <-written; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write while the socket closes: %v", err)
		}
	})
}
