package pipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/parleyws/parley/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestConn(t *testing.T) {
	for name, size := range map[string]int{"default": DefaultSize, "1000 bytes": 1000} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				a, b = NewSize(size)
				return a, b, func() { a.Close(); b.Close() }, nil
			})
		})
	}
}

type halfCloser interface{ CloseWrite() error }

func TestCloseWrite(t *testing.T) {
	a, b := New()
	defer b.Close()
	write(t, a, "last words")
	if err := a.(halfCloser).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after CloseWrite = %v, want %v", err, net.ErrClosed)
	}
	if err := a.(halfCloser).CloseWrite(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second CloseWrite = %v, want %v", err, net.ErrClosed)
	}
	if got, err := io.ReadAll(b); string(got) != "last words" || err != nil {
		t.Errorf("peer read %q, %v", got, err)
	}
	write(t, b, "answer")
	if got := read(t, a, 6); got != "answer" {
		t.Errorf("read %q against the half-close", got)
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close after CloseWrite = %v", err)
	}
}

// The first Close succeeds, though the peer saw the end before that Close returned and
// another Close came meanwhile.
func TestCloseTwiceAtOnce(t *testing.T) {
	for range 5000 {
		a, b := New()
		first := make(chan error)
		go func() { first <- a.Close() }()
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("Read of a closed peer = %v", err)
		}
		second := a.Close()
		if err := <-first; err != nil || !errors.Is(second, net.ErrClosed) {
			t.Fatalf("first Close = %v, second Close = %v", err, second)
		}
		b.Close()
	}
}

// What the peer writes once it has seen the end is not read, as little as with a *net.TCPConn.
func TestCloseEndsReading(t *testing.T) {
	a, b := New()
	asked := 0
	b.(*conn).in.watch(readingEnd, func() {
		if asked++; asked == 1 { // at once, before anything has happened
			return
		}
		if _, err := b.Write([]byte("late")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Write after the peer's end = %v", err)
		}
	})
	if a.Close(); asked != 2 {
		t.Errorf("told %d times of the end, want once", asked-1)
	}
}

func TestClose(t *testing.T) {
	a, b := New()
	write(t, a, "bye")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close = %v, want %v", err, net.ErrClosed)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close = %v, want %v", err, net.ErrClosed)
	}
	if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetDeadline after Close = %v, want %v", err, net.ErrClosed)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write to a closed peer = %v, want %v", err, io.ErrClosedPipe)
	}
	if got, err := io.ReadAll(b); string(got) != "bye" || err != nil {
		t.Errorf("peer read %q, %v", got, err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close after the peer's = %v", err)
	}
}

// A Close, a deadline and the peer each wake the waiting calls, at both ends.
func TestWakes(t *testing.T) {
	past := time.Unix(1, 0)
	readOne := func(nc net.Conn) error { _, err := nc.Read(make([]byte, 1)); return err }
	writeTwo := func(nc net.Conn) error { _, err := nc.Write(make([]byte, 2)); return err }
	tests := []struct {
		name string
		call func(net.Conn) error
		wake func(a, b net.Conn)
		want error
	}{
		{"read, closed here", readOne, func(a, b net.Conn) { a.Close() }, net.ErrClosed},
		{"read, closed there", readOne, func(a, b net.Conn) { b.Close() }, io.EOF},
		{"read, half-closed there", readOne, func(a, b net.Conn) { b.(halfCloser).CloseWrite() }, io.EOF},
		{"read, deadline", readOne, func(a, b net.Conn) { a.SetReadDeadline(past) }, os.ErrDeadlineExceeded},
		{"read, byte", readOne, func(a, b net.Conn) { b.Write([]byte{1}) }, nil},
		{"write, closed here", writeTwo, func(a, b net.Conn) { a.Close() }, net.ErrClosed},
		{"write, half-closed here", writeTwo, func(a, b net.Conn) { a.(halfCloser).CloseWrite() }, net.ErrClosed},
		{"write, closed there", writeTwo, func(a, b net.Conn) { b.Close() }, io.ErrClosedPipe},
		{"write, deadline", writeTwo, func(a, b net.Conn) { a.SetWriteDeadline(past) }, os.ErrDeadlineExceeded},
		{"write, room", writeTwo, func(a, b net.Conn) { b.Read(make([]byte, 1)) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := NewSize(1)
				defer a.Close()
				defer b.Close()
				got := make(chan error, 1)
				go func() { got <- tt.call(a) }()
				synctest.Wait()
				tt.wake(a, b)
				synctest.Wait()
				select {
				case err := <-got:
					if !errors.Is(err, tt.want) {
						t.Errorf("got %v, want %v", err, tt.want)
					}
				default:
					t.Error("still waiting")
				}
			})
		})
	}
}

// A deadline passes at its exact time, unless it was moved or removed before.
func TestDeadlineTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := NewSize(1)
		defer a.Close()
		defer b.Close()
		write(t, a, "x")

		start := time.Now()
		a.SetDeadline(start.Add(time.Second))
		a.SetDeadline(time.Time{})
		a.SetReadDeadline(start.Add(3 * time.Second))
		a.SetWriteDeadline(start.Add(5 * time.Second))
		var wg sync.WaitGroup
		expire := func(call func([]byte) (int, error), want time.Duration) {
			n, err := call(make([]byte, 1))
			if took := time.Since(start); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != want {
				t.Errorf("got %d, %v after %v; want a timeout after %v", n, err, took, want)
			}
			if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
				t.Errorf("%v is not a timeout", err)
			}
		}
		wg.Go(func() { expire(a.Read, 3*time.Second) })
		wg.Go(func() { expire(a.Write, 5*time.Second) })
		wg.Wait()

		// The deadline has cost neither the buffered bytes nor the connection.
		a.SetDeadline(time.Time{})
		if got := read(t, b, 1); got != "x" {
			t.Errorf("read %q", got)
		}
		write(t, b, "y")
		if got := read(t, a, 1); got != "y" {
			t.Errorf("read %q", got)
		}
	})
}

// Concurrent writes to a full pipe do not mix. A write that a deadline ends
// returns how many bytes were buffered.
func TestWritesMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := NewSize(3)
		defer b.Close()
		const writers, size = 8, 100
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				if n, err := a.Write(bytes.Repeat([]byte{byte('a' + i)}, size)); n != size || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
			})
		}
		for range writers {
			got := read(t, b, size)
			if want := bytes.Repeat([]byte(got[:1]), size); got != string(want) {
				t.Errorf("a torn Write: %q", got)
			}
		}
		wg.Wait()
		a.SetWriteDeadline(time.Now().Add(time.Millisecond))
		if n, err := a.Write(make([]byte, 10)); n != 3 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v; want the 3 bytes that there was room for and a timeout", n, err)
		}
		a.Close()
	})
}

func TestAddr(t *testing.T) {
	a, b := New()
	defer a.Close()
	defer b.Close()
	if a.LocalAddr() != b.RemoteAddr() || a.RemoteAddr() != b.LocalAddr() || a.LocalAddr() == b.LocalAddr() {
		t.Errorf("addresses do not match: %v %v, %v %v", a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr())
	}
	if got := a.LocalAddr().Network() + " " + a.LocalAddr().String(); got != "pipe a" {
		t.Errorf("address %q", got)
	}
}

func TestSizePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewSize(0)
}

func write(t *testing.T, nc net.Conn, s string) {
	t.Helper()
	if n, err := nc.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", s, n, err)
	}
}

func read(t *testing.T, nc net.Conn, n int) string {
	t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(nc, p); err != nil {
		t.Fatalf("Read = %v", err)
	}
	return string(p)
}
