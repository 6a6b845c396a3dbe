package stream

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/loop"
	"github.com/parleyws/parley/internal/pipe"
)

// inMemory runs f in a bubble with the two kinds of streams that are in memory.
func inMemory(t *testing.T, f func(t *testing.T, nc, peer net.Conn)) {
	for _, looped := range []bool{false, true} {
		name := "blocking"
		if looped {
			name = "looped"
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := pipe.NewSize(64 << 10)
				if looped {
					l := loop.New(loop.NewKernel(nc))
					defer l.Close()
					nc = l.Take(nc)
				}
				defer nc.Close()
				defer peer.Close()
				f(t, nc, peer)
			})
		})
	}
}

// A read that waits holds no buffer, unless there are bytes in it.
func TestWaitHoldsNothing(t *testing.T) { inMemory(t, waitHoldsNothing) }

func waitHoldsNothing(t *testing.T, nc, peer net.Conn) {
	s := New(nc, nil)
	wait := func() {
		t.Helper()
		nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, again, err := s.Fill(0, false); n != 0 || again || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Fill = %d, %t, %v; want a timeout", n, again, err)
		}
		s.EndWake()
	}
	if wait(); s.Held() > 0 {
		t.Error("a read that has waited holds a buffer")
	}
	if _, err := peer.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if n, _, err := s.Fill(0, false); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	s.Advance(1)
	if wait(); string(s.Buffered()) != "bc" {
		t.Errorf("after a wait %q is buffered, want %q", s.Buffered(), "bc")
	}
	s.Advance(2)
	if wait(); s.Held() > 0 {
		t.Error("a read that has waited again holds a buffer")
	}
}

// Reads wait for bytes, and for the end, and a loop's socket can be tried.
func TestReads(t *testing.T) {
	inMemory(t, func(t *testing.T, nc, peer net.Conn) {
		s := New(nc, nil)
		defer s.Drop()
		_, looped := nc.(*loop.Socket)
		if s.CanTry() != looped || s.CanTryWrite() != looped || (s.Looped() == nc) != looped || s.NetConn() != nc {
			t.Errorf("%T can be tried: %t, %t", nc, s.CanTry(), s.CanTryWrite())
		}
		p := make([]byte, 10)
		s.Ask()
		if looped {
			if n, again, err := s.Fill(0, true); n != 0 || !again || err != nil {
				t.Errorf("Fill of nothing = %d, %t, %v", n, again, err)
			}
			if n, again, err := s.Into(p, true); n != 0 || !again || err != nil {
				t.Errorf("Into of nothing = %d, %t, %v", n, again, err)
			}
		}
		for range 2 {
			go func() {
				synctest.Wait()
				peer.Write([]byte("ab"))
			}()
			if n, again, err := s.Fill(0, false); n != 2 || again || err != nil || string(s.Buffered()) != "ab" {
				t.Errorf("Fill = %d, %t, %v; %q", n, again, err, s.Buffered())
			}
			s.Advance(2)
			go func() {
				synctest.Wait()
				peer.Write([]byte("cd"))
			}()
			if n, again, err := s.Into(p, false); n != 2 || again || err != nil || string(p[:2]) != "cd" {
				t.Errorf("Into = %d, %t, %v; %q", n, again, err, p[:n])
			}
		}
		go func() {
			synctest.Wait()
			peer.(interface{ CloseWrite() error }).CloseWrite()
		}()
		for range 2 {
			if n, again, err := s.Fill(0, false); n != 0 || again || err != io.EOF {
				t.Errorf("Fill of the end = %d, %t, %v", n, again, err)
			}
		}
		if n, again, err := s.Into(p, false); n != 0 || again || err != io.EOF {
			t.Errorf("Into of the end = %d, %t, %v", n, again, err)
		}
	})
}

// A deaf is a Kernel that tells of nothing.
type deaf struct {
	loop.Kernel
	over chan struct{}
}

func (k deaf) Wait([]loop.Event) int {
	<-k.over
	return 0
}

func (k deaf) Look([]loop.Event) int { return 0 }

func (k deaf) End() {
	close(k.over)
	k.Kernel.End()
}

// Ask finds bytes of which the loop was not told yet.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := pipe.New()
		defer peer.Close()
		l := loop.New(deaf{loop.NewKernel(nc), make(chan struct{})})
		defer l.Close()
		s := New(l.Take(nc), nil)
		defer s.Close()
		defer s.Drop()
		for _, asks := range []bool{false, false, true, false, true} {
			if asks {
				peer.Write([]byte("x"))
				s.Ask()
			}
			want := 0
			if asks {
				want = 1
			}
			if n, again, err := s.Fill(0, true); n != want || again == asks || err != nil {
				t.Errorf("asked %t: Fill = %d, %t, %v", asks, n, again, err)
			}
		}
	})
}

// Wake ends a read, and EndWake lets the next one wait.
func TestWake(t *testing.T) {
	inMemory(t, func(t *testing.T, nc, peer net.Conn) {
		s := New(nc, nil)
		go func() {
			synctest.Wait()
			if !s.Wake() {
				t.Error("Wake does nothing")
			}
		}()
		if n, again, err := s.Into(make([]byte, 1), false); n != 0 || again || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Into = %d, %t, %v; want a timeout", n, again, err)
		}
		s.EndWake()
		go func() {
			time.Sleep(time.Hour)
			peer.Write([]byte("x"))
		}()
		if n, again, err := s.Into(make([]byte, 1), false); n != 1 || again || err != nil {
			t.Errorf("Into = %d, %t, %v", n, again, err)
		}
		start := time.Now()
		end := s.LimitRead(time.Minute, nil)
		if _, _, err := s.Into(make([]byte, 1), false); err == nil || time.Since(start) != time.Minute {
			t.Errorf("a read that may take a minute ends after %v: %v", time.Since(start), err)
		}
		end()
		go func() {
			time.Sleep(time.Hour)
			peer.Write([]byte("y"))
		}()
		if n, again, err := s.Into(make([]byte, 1), false); n != 1 || again || err != nil {
			t.Errorf("Into after the limit = %d, %t, %v", n, again, err)
		}
		if err := s.end.Close(); err != nil {
			t.Errorf("the stream is closed: %v", err)
		}
		if s.Wake() {
			t.Error("Wake of what is closed does something")
		}
	})
}

// Discard reads until nothing has come for a time, or the stream ends, and holds nothing that
// was read before.
func TestDiscard(t *testing.T) {
	inMemory(t, func(t *testing.T, nc, peer net.Conn) {
		s := New(nc, []byte("abc"))
		start := time.Now()
		go func() {
			for range 3 {
				time.Sleep(600 * time.Millisecond)
				peer.Write(make([]byte, 10_000))
			}
		}()
		if s.Discard(time.Second, nil) || time.Since(start) != 2800*time.Millisecond {
			t.Errorf("after %v of bytes and silence: the end", time.Since(start))
		}
		if s.Held() > 0 || len(s.Buffered()) > 0 {
			t.Errorf("%d bytes are held", s.Held())
		}
		s.EndWake()
		start = time.Now()
		const late = Forever + time.Hour // Forever never passes
		go func() {
			time.Sleep(late)
			peer.Close()
		}()
		if !s.Discard(Forever, nil) || time.Since(start) != late {
			t.Errorf("after %v: no end", time.Since(start))
		}
	})
}

// A write to a loop's socket that is tried takes what there is room for.
func TestTryWriteOfLooped(t *testing.T) {
	inMemory(t, func(t *testing.T, nc, peer net.Conn) {
		s := New(nc, nil)
		if !s.CanTryWrite() {
			return
		}
		for _, want := range []int{64 << 10, 0} {
			if n, err := s.TryWrite(make([]byte, 100<<10)); n != want || err != nil {
				t.Errorf("TryWrite = %d, %v, want %d", n, err, want)
			}
		}
	})
}

// What waits for room gets it, or the deadline.
func TestWriteAll(t *testing.T) {
	inMemory(t, func(t *testing.T, nc, peer net.Conn) {
		s := New(nc, nil)
		const size = 200 << 10
		for range 2 {
			go func() {
				for range size >> 10 {
					time.Sleep(time.Second)
					io.ReadFull(peer, make([]byte, 1<<10))
				}
			}()
			if err := s.WriteAll(make([]byte, size), 300*time.Second); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
		start := time.Now()
		err := s.WriteAll(make([]byte, size), 10*time.Second)
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took < 10*time.Second || took > 20*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
