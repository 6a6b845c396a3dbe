package conn_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// servedByShells runs f with a client's end of a connection that each shell serves by handle.
func servedByShells(t *testing.T, handle func(c *conn.Conn, m conn.Message) error, f func(t *testing.T, c *conn.Conn)) {
	for name, loop := range map[string]*conn.Loop{"goroutines": {After: -1}, "loop": {}} {
		t.Run(name, func(t *testing.T) {
			s := &conn.Server{
				Options: &conn.AcceptOptions{Conn: conn.Options{Loop: loop}},
				Handle: func(_ context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
					return func(m conn.Message) error { return handle(c, m) }
				},
				OnError: func(*conn.Conn, error) {},
			}
			web := httptest.NewServer(s)
			defer web.Close()
			defer s.Shutdown(context.Background())
			c, _, err := conn.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			f(t, c)
		})
	}
}

// A job is a conn.Work.
type job func()

func (j job) Run() { j() }

// later has f done by whoever may do it.
func later(c *conn.Conn, f func()) {
	if !c.Later(job(f)) {
		go f()
	}
}

// What is done later may wait for the next message of the same connection, may end its
// goroutine, and is hurried by a function that waits for it.
func TestLater(t *testing.T) {
	next := make(chan string)
	handle := func(c *conn.Conn, m conn.Message) error {
		switch string(m.Payload) {
		case "wait":
			later(c, func() { c.Write(context.Background(), conn.Text, []byte("waited for "+<-next)) })
		case "exit":
			later(c, runtime.Goexit)
			later(c, func() { c.Write(context.Background(), conn.Text, []byte("went on")) })
		case "hurry":
			done := make(chan struct{})
			later(c, func() { close(done) })
			c.Hurry()
			<-done
			return c.Write(context.Background(), conn.Text, []byte("hurried"))
		default: // it may have come together with "wait"
			c.Hurry()
			next <- string(m.Payload)
		}
		return nil
	}
	servedByShells(t, handle, func(t *testing.T, c *conn.Conn) {
		ctx := context.Background()
		for _, step := range []struct{ send, want string }{
			{"wait", ""}, {"next", "waited for next"}, {"exit", "went on"}, {"hurry", "hurried"}, {"wait", ""}, {"x", "waited for x"},
		} {
			c.Write(ctx, conn.Text, []byte(step.send))
			if step.want == "" {
				continue
			}
			if _, got, err := c.Read(ctx); string(got) != step.want || err != nil {
				t.Fatalf("after %q: %q, %v", step.send, got, err)
			}
		}
	})
}

// Later takes nothing once a loop has ceased to receive: there is nobody to do it.
func TestLaterAfterReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: ours}, conn.RoleServer, &conn.Options{Loop: &conn.Loop{}}))
		defer c.CloseNow()
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Send(wstest.Text("to Receive"), wstest.Text("to Each"))
		ended := make(chan error, 1)
		conn.Receive(c, func(conn.Message) error { return errEnough }, func(err error) { ended <- err })
		wantError(t, <-ended, errEnough)
		wantError(t, c.Each(t.Context(), func(conn.Message) error {
			c.Hurry() // does nothing
			if c.Later(job(func() {})) {
				t.Error("Later has taken what nobody will do")
			}
			return errEnough
		}), errEnough)
	})
}

// A loop does what is left for later, and a goroutine of the connection's own does not take it,
// whatever connections have lent each other.
func TestLaterOnALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		for i := range 40 {
			looped := i%2 == 0
			l := &conn.Loop{}
			if !looped {
				l.After = -1
			}
			ours, theirs := pipe.New()
			c := must(conn.New(&handshake.Result{Conn: ours}, conn.RoleServer, &conn.Options{Loop: l}))
			taken, done := false, false
			conn.Receive(c, func(conn.Message) error {
				taken = c.Later(job(func() { done = true }))
				return nil
			}, func(err error) { ended <- err })
			wstest.NewPeer(t, theirs, conn.RoleClient).Send(wstest.Text("x"))
			synctest.Wait()
			if taken != looped || done != looped {
				t.Errorf("on a loop: %t, taken: %t, done: %t", looped, taken, done)
			}
			defer func() {
				c.CloseNow()
				<-ended
			}()
		}
	})
}

// A loop that has read its share of one connection comes again, though nothing more has come. The wait
// goes on then: the end of the connection wakes it, and the keepalive looks after it.
func TestReceiveComesForNothing(t *testing.T) {
	for name, end := range map[string]struct {
		by   func(c *conn.Conn)
		want error
		at   time.Duration
	}{
		"closed":    {func(c *conn.Conn) { startClose(c) }, net.ErrClosed, 0},
		"dead peer": {func(*conn.Conn) {}, conn.ErrDeadPeer, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := limits(conn.Limits{PingInterval: 3 * time.Second, PingTimeout: time.Second, CloseTimeout: time.Minute})
				o.Loop = &conn.Loop{}
				ours, theirs := pipe.New()
				c := must(conn.New(&handshake.Result{Conn: ours}, conn.RoleServer, o))
				defer c.CloseNow()
				wstest.NewPeer(t, theirs, conn.RoleClient).Send(wstest.Binary(make([]byte, 500_000)))
				ended := make(chan error, 1)
				came := 0
				conn.Receive(c, func(m conn.Message) error { came += len(m.Payload); return nil }, func(err error) { ended <- err })
				synctest.Wait()
				if came != 500_000 {
					t.Fatalf("%d bytes came", came)
				}
				start := time.Now()
				end.by(c)
				wantError(t, <-ended, end.want)
				if took := time.Since(start); took != end.at {
					t.Errorf("it ends after %v, want %v", took, end.at)
				}
			})
		})
	}
}
