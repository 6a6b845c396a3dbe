package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// How a call ends that is not answered.
func TestClientCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Reconnection: steady, AckTimeout: 3 * time.Second, Limits: socketio.ClientLimits{PendingAcks: 2}})
		for _, tt := range []struct {
			name   string
			ctx    time.Duration // 0: none
			callee socketio.Callee
			during func()
			want   error
			after  time.Duration
		}{
			{"AckTimeout", 0, c, nil, context.DeadlineExceeded, 3 * time.Second},
			{"Timeout", 0, c.Timeout(5 * time.Second), nil, context.DeadlineExceeded, 5 * time.Second},
			{"the shortest Timeout", 0, c.Timeout(1), nil, context.DeadlineExceeded, 1},
			{"ctx", time.Second, c, nil, context.DeadlineExceeded, time.Second},
			{"ctx before Timeout", time.Second, c.Timeout(5 * time.Second), nil, context.DeadlineExceeded, time.Second},
			{"the end of the session", 0, c, func() { p.conn.CloseNow() }, socketio.ErrDisconnected, time.Millisecond},
			{"DISCONNECT", 0, c, func() { p.send("41") }, socketio.ErrDisconnected, time.Millisecond},
			{"Disconnect", 0, c, c.Disconnect, socketio.ErrDisconnected, time.Millisecond},
		} {
			c.Connect()
			<-time.After(10 * time.Second)
			if !c.Connected() {
				t.Fatal("not connected")
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if tt.ctx > 0 {
				ctx, cancel = context.WithTimeout(ctx, tt.ctx)
			}
			if tt.during != nil {
				time.AfterFunc(time.Millisecond, tt.during)
			}
			start := time.Now()
			_, err := socketio.Call[any](ctx, tt.callee, "q", 1)
			if took := time.Since(start); !errors.Is(err, tt.want) || took != tt.after {
				t.Errorf("%s: %v after %v, want %v after %v", tt.name, err, took, tt.want, tt.after)
			}
			cancel()
		}
		c.Connect()
		<-time.After(time.Second)
		if _, err := socketio.Call[any](t.Context(), c, "q", strings.Repeat("x", 1000)); !errors.Is(err, engineio.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		for range 2 {
			go socketio.Call[any](t.Context(), c, "q")
		}
		synctest.Wait()
		if _, err := socketio.Call[any](t.Context(), c, "q"); err == nil || !strings.Contains(err.Error(), "PendingAcks") {
			t.Errorf("third call: %v", err)
		}
		if _, err := socketio.Call[any](t.Context(), c, "connect"); err == nil {
			t.Error("Call of a reserved name")
		}
	})
}

// An event that can't be sent leaves the calls alone that wait for their answers.
func TestClientCallBesideUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(nil)
		answer := make(chan string, 1)
		go func() {
			x, err := socketio.Call[int](t.Context(), c, "q")
			answer <- fmt.Sprint(x, err)
		}()
		synctest.Wait()
		if err := c.Emit("e", strings.Repeat("x", 1000)); !errors.Is(err, engineio.ErrTooLarge) {
			t.Errorf("Emit: %v", err)
		}
		p.send("430[7]")
		if got := <-answer; got != "7 <nil>" {
			t.Errorf("got %s", got)
		}
	})
}

// A parentCtx counts what waits for its end, which never comes.
type parentCtx struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int32
}

func (c *parentCtx) Done() <-chan struct{} { return c.done }

// AfterFunc is what package context calls.
func (c *parentCtx) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	return func() bool { c.waiting.Add(-1); return true }
}

// A call that is over leaves nothing at a ctx that goes on, however long it might have taken.
func TestClientCallLeavesCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(nil)
		ctx := &parentCtx{Context: context.Background(), done: make(chan struct{})}
		answer := make(chan error, 1)
		go func() {
			_, err := socketio.Call[int](ctx, c.Timeout(time.Hour), "q")
			answer <- err
		}()
		synctest.Wait()
		if n := ctx.waiting.Load(); n != 1 {
			t.Errorf("%d wait for the end of ctx during the call", n)
		}
		p.send("430[7]")
		if err := <-answer; err != nil {
			t.Error(err)
		}
		if n := ctx.waiting.Load(); n != 0 {
			t.Errorf("%d still wait for the end of ctx", n)
		}
	})
}

// A call while the client is away waits for the connection; when its time is over its
// event is not sent.
func TestClientCallBuffered(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		var got diary
		n, client := s.network()
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.Handle(n, "q", func(_ context.Context, x int) (int, error) {
				got.add("%d", x)
				return -x, nil
			})
		})
		o := s.dialOptions(mode, socketio.DialOptions{Reconnection: steady})
		o.Engine.HTTPClient = client
		c := s.start(o)
		n.cut(true)
		synctest.Wait()
		answers := make(chan string)
		for i, timeout := range []time.Duration{time.Minute, time.Second, time.Minute} {
			go func() {
				x, err := socketio.Call[int](s.t.Context(), c.Timeout(timeout), "q", i)
				answers <- fmt.Sprint(x, err)
			}()
			synctest.Wait()
		}
		if b := c.Buffered(); b != 3 {
			s.t.Errorf("%d events are buffered", b)
		}
		time.AfterFunc(10*time.Second, n.up)
		if got, want := <-answers, "0 socket.io: call: context deadline exceeded"; got != want {
			s.t.Errorf("got %s, want %s", got, want)
		}
		first, second := <-answers, <-answers
		if first+second != "0 <nil>-2 <nil>" && first+second != "-2 <nil>0 <nil>" {
			s.t.Errorf("got %s and %s", first, second)
		}
		got.want(s.t, "0", "2")
	})
}

// With Retries one event is sent at a time, again after its time or the end of the
// session, and given up in the end.
func TestClientRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Reconnection: steady, Retries: 2, AckTimeout: 10 * time.Second})
		p.take()
		want := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got := p.take(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		c.Emit("a")
		c.Emit("b")
		synctest.Wait()
		c.Volatile().Emit("v")
		want(`420["a"]`, `42["v"]`)
		p.send("431[]") // nobody waits for it
		want()
		p.send("430[]")
		want(`421["b"]`)
		if n := c.Buffered(); n != 1 {
			t.Errorf("%d events are buffered", n)
		}
		c.Emit("c")
		for range 2 {
			<-time.After(10*time.Second - 1)
			want()
			<-time.After(1)
			want(`421["b"]`)
		}
		<-time.After(10 * time.Second)
		want(`422["c"]`)
		if !strings.Contains(p.log.String(), `event given up" namespace=/ event="\"b\""`) {
			t.Errorf("the log is %s", p.log)
		}
		p.conn.CloseNow() // the first try has failed
		<-time.After(2 * time.Second)
		want(`40`, `422["c"]`)
		p.send("432[]")
		want()
		answer := make(chan string)
		go func() {
			x, err := socketio.Call[int](t.Context(), c.Timeout(time.Second), "d")
			answer <- fmt.Sprint(x, err)
		}()
		want(`423["d"]`)
		<-time.After(time.Second)
		want(`423["d"]`)
		p.send("433[7]")
		if got := <-answer; got != "7 <nil>" {
			t.Errorf("got %s", got)
		}
		for i, try := range []time.Duration{time.Second, 1} {
			start := time.Now()
			if _, err := socketio.Call[int](t.Context(), c.Timeout(try), "e"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*try {
				t.Errorf("got %v after %v, want three tries of %v", err, time.Since(start), try)
			}
			sent := fmt.Sprintf(`42%d["e"]`, 4+i)
			want(sent, sent, sent)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.AfterFunc(time.Millisecond, func() { c.Emit("g") })
		if _, err := socketio.Call[int](ctx, c, "f"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		want(`426["f"]`, `427["g"]`)
		if err := c.Emit("large", strings.Repeat("x", 1000)); err != nil { // it is found out when its turn comes
			t.Error(err)
		}
		c.Emit("h")
		p.send("437[]")
		want(`429["h"]`)
		go func() {
			_, err := socketio.Call[int](t.Context(), c, "i")
			answer <- fmt.Sprint(err)
		}()
		synctest.Wait()
		c.Close()
		if got := <-answer; got != "socket.io: call: "+socketio.ErrClosed.Error() {
			t.Errorf("got %s", got)
		}
	})
}

// With Retries an application that gives its events ids handles each once.
func TestClientRetriesOnce(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		handled := map[int]int{}
		var order []int
		n, client := s.network()
		calls := 0
		s.io.OnConnect(func(socket *socketio.Socket) {
			socketio.Handle(socket, "order", func(_ context.Context, id int) (bool, error) {
				if handled[id]++; handled[id] == 1 {
					order = append(order, id)
				}
				if calls++; calls%3 == 0 {
					n.cut(false) // the acknowledgement is lost
				}
				return true, nil
			})
		})
		o := s.dialOptions(mode, socketio.DialOptions{Reconnection: steady, Retries: 20})
		o.Engine.HTTPClient = client
		c := s.start(o)
		for id := range 10 {
			if err := c.Emit("order", id); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := c.Flush(s.t.Context()); err != nil {
			s.t.Error(err)
		}
		if fmt.Sprint(order) != "[0 1 2 3 4 5 6 7 8 9]" || calls <= 10 {
			s.t.Errorf("%v were handled first, in %d calls", order, calls)
		}
	})
}

// A full buffer refuses an event, or drops its oldest.
func TestClientBufferFull(t *testing.T) {
	for name, tt := range map[string]struct {
		limits     socketio.ClientLimits
		dropOldest bool
		retries    int
		want       string // what the server gets
		refused    int
		dropped    uint64
	}{
		"by number":        {socketio.ClientLimits{BufferEvents: 3}, false, 0, `[42["e",0] 42["e",1] 42["e",2]]`, 2, 0},
		"with Retries":     {socketio.ClientLimits{BufferEvents: 3}, false, 1, `[420["e",0]]`, 2, 0}, // one is sent at a time
		"by size":          {socketio.ClientLimits{BufferBytes: 3 * 320}, false, 0, `[42["e",0] 42["e",1] 42["e",2]]`, 2, 0},
		"the oldest":       {socketio.ClientLimits{BufferEvents: 3}, true, 0, `[42["e",2] 42["e",3] 42["e",4]]`, 0, 2},
		"the oldest, size": {socketio.ClientLimits{BufferBytes: 3 * 320}, true, 0, `[42["e",2] 42["e",3] 42["e",4]]`, 0, 2},
		"room for none":    {socketio.ClientLimits{BufferBytes: 100}, true, 0, `[]`, 5, 0},
		"no limit":         {socketio.ClientLimits{BufferBytes: -1, BufferEvents: -1}, false, 0, `[42["e",0] 42["e",1] 42["e",2] 42["e",3] 42["e",4]]`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPuppet(t)
				c := p.start(&socketio.DialOptions{Limits: tt.limits, DropOldest: tt.dropOldest, Retries: tt.retries})
				c.Disconnect()
				synctest.Wait()
				p.take()
				refused := 0
				for i := range 5 {
					if err := c.Emit("e", i); errors.Is(err, socketio.ErrBufferFull) {
						refused++
					} else if err != nil {
						t.Error(err)
					}
				}
				if refused != tt.refused || c.Dropped() != tt.dropped {
					t.Errorf("%d refused and %d dropped, want %d and %d", refused, c.Dropped(), tt.refused, tt.dropped)
				}
				c.Connect()
				synctest.Wait()
				if got := fmt.Sprint(p.take()[1:]); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// Flush says that the connection, or ctx, has ended before everything was written, and how.
func TestClientFlushUnwritten(t *testing.T) {
	for want, end := range map[error]func(c *socketio.Client, lose, cancel func()){
		socketio.ErrDisconnected: func(_ *socketio.Client, lose, _ func()) { lose() },
		socketio.ErrClosed:       func(c *socketio.Client, lose, _ func()) { c.Close(); lose() },
		context.Canceled:         func(_ *socketio.Client, _, cancel func()) { cancel() },
	} {
		synctest.Test(t, func(t *testing.T) {
			consent, lost := make(chan string, 1), make(chan struct{})
			o := &socketio.DialOptions{Logger: slog.New(slog.DiscardHandler), Reconnection: socketio.Reconnection{Off: true}}
			o.Engine.Transports = []string{"polling"}
			o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
				body := "ok"
				switch {
				case r.URL.Query().Get("sid") == "":
					body = `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`
				case r.Method == http.MethodPost:
					if sent, _ := io.ReadAll(r.Body); string(sent) != "40" {
						select {
						case <-lost:
							return nil, errNoNetwork
						case <-r.Context().Done():
							return nil, r.Context().Err()
						}
					}
					consent <- `40{"sid":"id"}`
				default:
					select {
					case body = <-consent:
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				}
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
			})}
			c, err := socketio.Dial(t.Context(), "http://example.com", o)
			if err != nil {
				t.Fatal(err)
			}
			c.Emit("e")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			flushed := make(chan error, 1)
			go func() { flushed <- c.Flush(ctx) }()
			synctest.Wait()
			end(c, func() { close(lost) }, cancel)
			if err := <-flushed; !errors.Is(err, want) {
				t.Errorf("Flush: %v, want %v", err, want)
			}
			closeClient(t, c)
		})
	}
}

// A volatile event is dropped while another one is unsent.
func TestClientVolatileUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		consent, taken := make(chan string, 1), make(chan struct{})
		var posted diary
		o := &socketio.DialOptions{Logger: slog.New(slog.DiscardHandler)}
		o.Engine.Transports = []string{"polling"}
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			body := "ok"
			switch {
			case r.URL.Query().Get("sid") == "":
				body = `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`
			case r.Method == http.MethodPost:
				sent, _ := io.ReadAll(r.Body)
				if posted.add("%s", sent); string(sent) == "40" {
					consent <- `40{"sid":"id"}`
				} else {
					<-taken
				}
			default:
				select {
				case body = <-consent:
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
		})}
		c, err := socketio.Dial(t.Context(), "http://example.com", o)
		if err != nil {
			t.Fatal(err)
		}
		defer closeClient(t, c)
		synctest.Wait()
		if err := c.Emit("a"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := c.Volatile().Emit("lost"); err != nil {
			t.Error(err)
		}
		close(taken)
		synctest.Wait()
		if err := c.Volatile().Emit("b"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		posted.want(t, "40", `42["a"]`, `42["b"]`)
	})
}

// Flush waits for what is buffered to be written, and says if it can't be.
func TestClientFlush(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		n, client := s.network()
		got := 0
		s.io.OnConnect(func(n *socketio.Socket) {
			n.OnEvent("e", func(*socketio.Event) error { got++; return nil })
		})
		o := s.dialOptions(mode, socketio.DialOptions{Reconnection: steady})
		o.Engine.HTTPClient = client
		c := s.start(o)
		c.Emit("e")
		if err := c.Flush(s.t.Context()); err != nil {
			s.t.Error(err)
		}
		n.cut(true)
		synctest.Wait()
		if err := c.Flush(s.t.Context()); err != nil {
			s.t.Errorf("nothing is unsent: %v", err)
		}
		c.Emit("e")
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			s.t.Errorf("Flush: %v", err)
		}
		time.AfterFunc(time.Minute, n.up)
		start := time.Now()
		if err := c.Flush(s.t.Context()); err != nil || time.Since(start) < time.Minute {
			s.t.Errorf("Flush: %v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if got != 2 {
			s.t.Errorf("%d events have come", got)
		}
		n.cut(true)
		synctest.Wait()
		c.Emit("e")
		time.AfterFunc(time.Second, c.Close)
		if err := c.Flush(s.t.Context()); err != socketio.ErrClosed {
			s.t.Errorf("Flush: %v", err)
		}
		if err := c.Emit("e"); err != socketio.ErrClosed {
			s.t.Errorf("Emit: %v", err)
		}
		if _, err := socketio.Call[any](s.t.Context(), c, "e"); !errors.Is(err, socketio.ErrClosed) {
			s.t.Errorf("Call: %v", err)
		}
		c.Connect()
		c.Disconnect()
		c.Close()
		if c.Active() || c.Context().Err() == nil || context.Cause(c.Context()) != socketio.ErrClosed {
			s.t.Errorf("active %t, ctx %v", c.Active(), context.Cause(c.Context()))
		}
	})
}
