package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// An overseen stream keeps the deadlines of its reads.
type overseen struct {
	net.Conn
	deadlines []time.Time
}

func (o *overseen) SetReadDeadline(t time.Time) error {
	o.deadlines = append(o.deadlines, t)
	return nil
}

// TestHandshakeClock: the clock ends a handshake that is under way, by a deadline that has passed,
// and leaves a stream alone whose request is there.
func TestHandshakeClock(t *testing.T) {
	for phase, want := range map[uint32]int{greeting: 1, overdue: 0, answered: 0} {
		nc := &overseen{}
		n := &newcomer{nc: nc}
		n.phase.Store(phase)
		(*loopedNewcomer)(n).Ring()
		if len(nc.deadlines) != want {
			t.Errorf("phase %d: the deadlines %v, want %d", phase, nc.deadlines, want)
		}
		for _, d := range nc.deadlines {
			if d.IsZero() || d.After(time.Now()) {
				t.Errorf("phase %d: the deadline %v has not passed", phase, d)
			}
		}
	}
}

// TestMaxHandshakes: the bound of handshakes is the one that is given, or the default, or none.
func TestMaxHandshakes(t *testing.T) {
	for given, want := range map[int]int{0: 4096, 1: 1, 4097: 4097, -1: 0} {
		s := &Server{
			Serve:         func(context.Context, *Conn, *http.Request) error { return nil },
			MaxHandshakes: given,
		}
		d := must(s.openDoor(pipe.Listen()))
		if got := cap(s.reception.places); got != want {
			t.Errorf("MaxHandshakes %d: room for %d, want %d", given, got, want)
		}
		s.closeDoor(d)
	}
}

// TestShutdownOfAPromoted: a connection is no newcomer any more, though what has done its handshake
// has still to leave: Shutdown closes it, and does not cut it.
func TestShutdownOfAPromoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Serve: func(context.Context, *Conn, *http.Request) error { return nil }}
		s.closeDoor(must(s.openDoor(pipe.Listen())))
		ours, theirs := pipe.New()
		n := &newcomer{server: s, nc: ours}
		s.reception.newcomers[n] = struct{}{}
		c := newConn(&handshake.Result{Conn: ours}, RoleServer, s.settings)
		if !s.promote(n, c) {
			t.Fatal("the Server is down")
		}
		go func() {
			<-c.Done()
			s.remove(c)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go s.Shutdown(ctx)
		peer := must(New(&handshake.Result{Conn: theirs}, RoleClient, nil))
		_, _, err := peer.Read(ctx)
		if e, ok := errors.AsType[*CloseError](err); !ok || e.Code != frame.StatusGoingAway {
			t.Errorf("the peer's Read = %v, want the Close frame of Shutdown", err)
		}
		<-peer.Done()
	})
}

// TestServerLoop: a server whose connections need no goroutine has a loop, its own if it is given
// none.
func TestServerLoop(t *testing.T) {
	handle := func(context.Context, *Conn, *http.Request) func(Message) error { return nil }
	given := &Options{Loop: &Loop{}}
	for _, c := range []struct {
		s    *Server
		loop *Loop
	}{
		{&Server{Handle: handle, Options: &AcceptOptions{Conn: *given}}, given.Loop},
		{&Server{Serve: func(context.Context, *Conn, *http.Request) error { return nil }, Options: &AcceptOptions{Conn: *given}}, nil},
	} {
		if c.s.judge(); c.s.invalid != nil || c.s.settings.loop != c.loop {
			t.Errorf("%+v: loop %p, want %p", c.s.Options, c.s.settings.loop, c.loop)
		}
	}
	a, b := Server{Handle: handle}, Server{Handle: handle}
	a.judge()
	b.judge()
	if l := a.settings.loop; l == nil || l.After != DefaultAfter || l == b.settings.loop {
		t.Errorf("loops %+v and %+v", a.settings.loop, b.settings.loop)
	}
}

// TestServeConnsHoldsNothing: a connection about which there is nothing to know holds nothing of its
// request, on a loop and without one.
func TestServeConnsHoldsNothing(t *testing.T) {
	for _, after := range []int{-1, 0} {
		served := make(chan *terms, 1)
		s := &Server{
			Handle: func(_ context.Context, c *Conn, _ *http.Request) func(Message) error {
				served <- c.terms
				return func(Message) error { return nil }
			},
			Options: &AcceptOptions{Conn: Options{Loop: &Loop{After: after}}},
		}
		l := pipe.Listen()
		ended := make(chan error, 1)
		go func() { ended <- s.ServeConns(l) }()
		c, _, err := Dial(t.Context(), "ws://memory.test", &DialOptions{Handshake: handshake.DialOptions{
			HTTPClient: &http.Client{Transport: &http.Transport{DialContext: l.DialContext, DisableKeepAlives: true}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if held := <-served; held != nil {
			t.Errorf("it holds %+v", held)
		}
		c.CloseNow()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
	}
}

// TestPasses: an error of Accept passes if it says so, or is known to.
func TestPasses(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("any"):                       false,
		net.ErrClosed:                           false,
		&net.DNSError{IsTemporary: true}:        true,
		&net.DNSError{}:                         false,
		fmt.Errorf("accept: %w", passing[0]):    true,
		&net.OpError{Op: "accept", Err: io.EOF}: false,
	} {
		if got := passes(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}
