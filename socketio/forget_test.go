package socketio_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// Acknowledgements that never come are forgotten: far more calls fail than a
// socket may owe answers at a time, and the next one still gets its own. Those
// that come late are ignored.
func TestUnansweredCalls(t *testing.T) {
	const calls = 20_000 // the limit is 1,024
	inBubble(t, nil, func(s *site) {
		joined := make(chan *socketio.Socket, 1)
		s.io.OnConnect(func(n *socketio.Socket) { joined <- n })
		r := s.client()
		n := <-joined
		over, cancel := context.WithCancel(context.Background())
		cancel()
		for range calls {
			if _, err := socketio.Call[int](over, n, "q"); !errors.Is(err, context.Canceled) {
				t.Fatalf("a call that nobody answers: %v", err)
			}
			r.read()
		}
		r.send("30[7]") // late
		answer := make(chan int)
		go func() {
			got, err := socketio.Call[int](context.Background(), n, "q")
			if err != nil {
				t.Error(err)
			}
			answer <- got
		}()
		synctest.Wait()
		r.want(`220000["q"]`)
		r.send("320000[8]")
		if got := <-answer; got != 8 {
			t.Errorf("answer %d, want 8", got)
		}
	})
}

// So are those of CallAll.
func TestUnansweredCallAll(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{PendingAcks: 1}}, func(s *site) {
		r := s.client()
		synctest.Wait()
		if _, err := socketio.CallAll[int](s.t.Context(), s.io.Timeout(time.Second), "q"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody answers: %v", err)
		}
		r.read()
		answered := make(chan error, 1)
		go func() {
			_, err := socketio.CallAll[int](s.t.Context(), s.io.Timeout(time.Second), "q")
			answered <- err
		}()
		r.want(`21["q"]`)
		r.send("31[8]")
		if err := <-answered; err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

// A lasting ctx never ends, and counts what waits for its end.
type lasting struct {
	context.Context
	done        chan struct{}
	waited      atomic.Int32
	waitsNoMore atomic.Int32
}

func (l *lasting) Done() <-chan struct{} { return l.done }

// AfterFunc is what package context calls for a ctx that is made of l.
func (l *lasting) AfterFunc(func()) (stop func() bool) {
	l.waited.Add(1)
	return func() bool { l.waitsNoMore.Add(1); return true }
}

// A call that has its answer leaves nothing with its ctx, however long that lives.
func TestCallsLeaveCtx(t *testing.T) {
	inBubble(t, &socketio.Options{Adapter: new(bus).join}, func(s *site) {
		answer := func(context.Context, any) (int, error) { return 1, nil }
		sockets := s.sockets(func(n *socketio.Socket) { socketio.Handle(n, "q", answer) })
		c := s.start(s.dialOptions("websocket", socketio.DialOptions{}))
		socketio.Handle(c, "q", answer)
		n := <-sockets
		for name, call := range map[string]func(context.Context) error{
			"of a socket":    func(ctx context.Context) error { _, err := socketio.Call[int](ctx, n, "q"); return err },
			"of a server":    func(ctx context.Context) error { _, err := socketio.Call[int](ctx, c, "q"); return err },
			"of all sockets": func(ctx context.Context) error { _, err := socketio.CallAll[int](ctx, s.io, "q"); return err },
			"of servers":     func(ctx context.Context) error { _, err := s.io.ServerSideCall(ctx, "q"); return err },
		} {
			ctx := &lasting{Context: context.Background(), done: make(chan struct{})}
			if err := call(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n, over := ctx.waited.Load(), ctx.waitsNoMore.Load(); n == 0 || over != n {
				t.Errorf("%s: %d have waited for the end of ctx, and %d no more", name, n, over)
			}
		}
	})
}
