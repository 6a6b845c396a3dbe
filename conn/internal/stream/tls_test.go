package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// overTLS runs f in a bubble with the ends of TLS over a stream in memory.
func overTLS(t *testing.T, f func(t *testing.T, server, client *tls.Conn)) {
	hs := httptest.NewTLSServer(nil) // for its certificate
	config := &tls.Config{Certificates: hs.TLS.Certificates, InsecureSkipVerify: true, SessionTicketsDisabled: true}
	hs.Close()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.NewSize(16 << 10)
		server, client := tls.Server(ours, config), tls.Client(theirs, config)
		shaken := make(chan error, 1)
		go func() { shaken <- server.Handshake() }()
		if err := errors.Join(client.Handshake(), <-shaken); err != nil {
			t.Fatal(err)
		}
		f(t, server, client)
	})
}

// Over TLS Close does not wait for a peer that does not read.
func TestCloseOverTLSDoesNotWait(t *testing.T) {
	overTLS(t, func(t *testing.T, server, client *tls.Conn) {
		s := New(server, nil)
		if err := s.WriteAll(make([]byte, 64<<10), time.Second); err == nil {
			t.Error("a write finds room where nobody reads")
		}
		start := time.Now()
		if s.Close(); time.Since(start) > 0 {
			t.Errorf("Close takes %v", time.Since(start))
		}
		if _, err := io.Copy(io.Discard, client.NetConn()); err != nil {
			t.Error(err)
		}
	})
}

// Over TLS CloseWrite sends the alert and ends the stream below.
func TestCloseWriteOverTLS(t *testing.T) {
	overTLS(t, func(t *testing.T, server, client *tls.Conn) {
		s := New(server, nil)
		defer s.Close()
		if !s.CloseWrite() {
			t.Error("CloseWrite does not do it")
		}
		if alert, err := io.ReadAll(client.NetConn()); len(alert) == 0 || err != nil {
			t.Errorf("below TLS the peer reads %d bytes, %v; want an alert and the end", len(alert), err)
		}
	})
}

// A triable is a stream that is no socket, to which a write can be tried.
type triable struct {
	fake
	tried int
}

func (s *triable) TryWrite(p []byte) (int, error) {
	s.tried += len(p)
	return len(p) - 1, nil
}

// A write is tried where that can be done, and does what Write does elsewhere.
func TestTryWrite(t *testing.T) {
	f := &triable{}
	f.writes = []int{10}
	s := New(f, nil)
	if !s.CanTryWrite() || s.CanTry() {
		t.Errorf("a write can be tried: %t, a read: %t", s.CanTryWrite(), s.CanTry())
	}
	if n, err := s.TryWrite(make([]byte, 5)); n != 4 || err != nil || f.tried != 5 || len(f.wrote) > 0 {
		t.Errorf("TryWrite = %d, %v", n, err)
	}
	if err := s.WriteAll(make([]byte, 10), Forever); err != nil || f.tried != 5 || len(f.wrote) != 1 {
		t.Errorf("WriteAll: %v after %d writes", err, len(f.wrote))
	}
	plain := &fake{writes: []int{5, 5}}
	for _, wait := range []bool{false, true} {
		b := &blocking{Conn: plain}
		if n, err := b.write(make([]byte, 5), wait); n != 5 || err != nil {
			t.Errorf("write = %d, %v", n, err)
		}
	}
	b := &blocking{Conn: f, try: f}
	if n, err := b.write(make([]byte, 3), false); n != 2 || err != nil {
		t.Errorf("write that is tried = %d, %v", n, err)
	}
	if b.control(nil) == nil {
		t.Error("a stream has a descriptor")
	}
}

var _ net.Conn = (*triable)(nil)

// A stream may return nothing from a hundred reads, and no more.
func TestEmptyReads(t *testing.T) {
	for empty, want := range map[int]error{0: nil, 1: nil, 99: nil, 100: io.ErrNoProgress} {
		f := &fake{reads: append(make([]int, empty), 5)}
		s := New(f, nil)
		n, again, err := s.Into(make([]byte, 10), false)
		if err != want || again || (n == 5) != (want == nil) || want != nil && n != 0 {
			t.Errorf("after %d empty reads: %d, %t, %v", empty, n, again, err)
		}
	}
}

// A limit that is stopped at the moment when its timer fires has closed the stream or never will.
func TestLimitStopsAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 40 {
			f := &fake{start: time.Now(), noWrites: true}
			f.below = f
			s := Stream{end: f}
			l := s.limit(time.Second, f.SetReadDeadline, nil)
			l.mu.Lock() // which the timer waits for
			time.Sleep(time.Second)
			l.mu.Unlock()
			passed := l.stop()
			synctest.Wait()
			if closed := f.closed > 0; closed != passed {
				t.Fatalf("closed: %t, and stop says %t", closed, passed)
			}
		}
	})
}
