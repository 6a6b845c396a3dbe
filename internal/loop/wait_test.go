package loop_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
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

// A Read that has waited returns what has come, and none nothing but one that asks for nothing.
func TestReadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		socket, theirs := s.open()
		defer theirs.Close()
		for _, text := range []string{"a", "bc"} {
			read := make(chan string)
			go func() {
				b := make([]byte, 10)
				n, err := socket.Read(b)
				if err != nil {
					t.Error(err)
				}
				read <- string(b[:n])
			}()
			synctest.Wait()
			theirs.Write([]byte(text))
			if got := <-read; got != text {
				t.Errorf("Read of %q after %q has come", got, text)
			}
		}
		theirs.Write([]byte("d"))
		if n, err := socket.Read(nil); n != 0 || err != nil {
			t.Errorf("Read of nothing = %d, %v", n, err)
		}
		socket.SetReadDeadline(time.Now())
		if n, err := socket.Read(make([]byte, 1)); n != 0 || err != os.ErrDeadlineExceeded {
			t.Errorf("Read after the deadline = %d, %v", n, err)
		}
	})
}

// Where there is no room WriteSome waits until there is some, and to write nothing needs none.
func TestWriteSomeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		socket, theirs := s.open()
		defer theirs.Close()
		const room = 64 << 10
		socket.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := socket.Write(make([]byte, room+10)); n != room || err != os.ErrDeadlineExceeded {
			t.Errorf("Write = %d, %v; want %d, and the deadline", n, err, room)
		}
		if n, err := socket.WriteSome([]byte("x")); n != 0 || err != os.ErrDeadlineExceeded {
			t.Errorf("WriteSome after the deadline = %d, %v", n, err)
		}
		if n, err := socket.Write([]byte("x")); n != 0 || err != os.ErrDeadlineExceeded {
			t.Errorf("Write after the deadline = %d, %v", n, err)
		}
		socket.SetWriteDeadline(time.Time{})
		if n, err := socket.WriteSome(nil); n != 0 || err != nil {
			t.Errorf("WriteSome of nothing = %d, %v", n, err)
		}
		if n, err := socket.Write(nil); n != 0 || err != nil {
			t.Errorf("Write of nothing = %d, %v", n, err)
		}
		for range 2 { // the second one finds what the first has left behind
			written := make(chan int)
			go func() {
				n, err := socket.WriteSome([]byte("abc"))
				if err != nil {
					t.Error(err)
				}
				written <- n
			}()
			synctest.Wait()
			if _, err := io.ReadFull(theirs, make([]byte, room)); err != nil {
				t.Error(err)
			}
			if n := <-written; n != 3 {
				t.Errorf("WriteSome = %d, want 3", n)
			}
			if n, err := socket.Write(make([]byte, room-3)); n != room-3 || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
		}
	})
}

// A deadline is the last one that was set.
func TestDeadlineMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		socket, theirs := s.open()
		defer theirs.Close()
		read := make(chan error, 1)
		start := time.Now()
		socket.SetReadDeadline(start.Add(time.Second))
		go func() {
			_, err := socket.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		socket.SetReadDeadline(time.Time{})
		time.Sleep(time.Minute)
		socket.SetReadDeadline(time.Now().Add(time.Hour))
		socket.SetReadDeadline(time.Now().Add(time.Minute))
		if err := <-read; err != os.ErrDeadlineExceeded || time.Since(start) != 2*time.Minute {
			t.Errorf("Read: %v after %v", err, time.Since(start))
		}
		socket.SetReadDeadline(time.Now().Add(time.Minute)) // Close stops it
	})
}

// Only a deadline that has passed calls a Reader.
func TestDeadlinesThatPoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		socket, theirs := s.open()
		defer theirs.Close()
		synctest.Wait() // the kernel has told of the new socket
		called := make(chan struct{}, 10)
		socket.Serve(caller{socket, called})
		for _, c := range []struct {
			name string
			set  func()
			want int
		}{
			{"Serve", func() {}, 1},
			{"no deadline", func() { socket.SetReadDeadline(time.Time{}) }, 0},
			{"a later one", func() { socket.SetReadDeadline(time.Now().Add(time.Second)) }, 0},
			{"its time", func() { time.Sleep(time.Minute) }, 0},
			{"a later one again", func() { socket.SetReadDeadline(time.Now().Add(time.Second)) }, 0},
			{"a write's", func() { socket.SetWriteDeadline(time.Now()) }, 0},
			{"now", func() { socket.SetReadDeadline(time.Now()) }, 1},
			{"both", func() { socket.SetDeadline(time.Unix(1, 0)) }, 1},
			{"none again", func() { socket.SetDeadline(time.Time{}) }, 0},
		} {
			c.set()
			synctest.Wait()
			if len(called) != c.want {
				t.Errorf("%s: the Reader is called %d times, want %d", c.name, len(called), c.want)
			}
			for len(called) > 0 {
				<-called
			}
		}
	})
}

// The end of the stream is read each time, also if it came before the loop had the socket.
func TestEndIsReadAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		dial := s.dial
		s.dial = func() (ours, theirs net.Conn) {
			ours, theirs = dial()
			if err := theirs.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Error(err)
			}
			return ours, theirs
		}
		socket, theirs := s.open()
		defer theirs.Close()
		for range 3 {
			socket.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := socket.Read(make([]byte, 8)); n != 0 || err != io.EOF {
				t.Fatalf("read %d bytes, %v", n, err)
			}
		}
	})
}
