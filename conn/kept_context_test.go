package conn_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// The end of the ctx of earlier reads does nothing to a read that has another.
func TestKeptContext(t *testing.T) {
	allOdds(t, nil, 1<<10, nil, func(b *bubble) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range 3 {
			b.p.Send(wstest.Text("x"))
			if _, _, err := b.c.Read(ctx); err != nil {
				b.Fatal(err)
			}
		}
		got := make(chan error, 1)
		go func() {
			_, _, err := b.c.Read(context.Background())
			got <- err
		}()
		synctest.Wait()
		cancel()
		b.sleep(3 * time.Second)
		b.p.Send(wstest.Text("y"))
		if err := <-got; err != nil {
			b.Errorf("the end of another ctx: %v", err)
		}
	})
}

// A tallied ctx counts what watches it.
type tallied struct {
	context.Context
	done  chan struct{}
	watch *atomic.Int32
}

func (c tallied) Done() <-chan struct{} { return c.done }

func (c tallied) AfterFunc(func()) func() bool {
	c.watch.Add(1)
	return func() bool { c.watch.Add(-1); return true }
}

// A connection that is over does not stay behind in a ctx that lives on.
func TestOverLeavesContext(t *testing.T) {
	allOdds(t, nil, 1<<10, nil, func(b *bubble) {
		ctx := tallied{context.Background(), make(chan struct{}), new(atomic.Int32)}
		b.p.Send(wstest.Text("x"))
		if _, _, err := b.c.Read(ctx); err != nil {
			b.Fatal(err)
		}
		b.p.Send(wstest.Text("y"))
		each(b.c, ctx, func(conn.Message) error {
			b.c.CloseNow()
			return nil
		})
		synctest.Wait()
		if n := ctx.watch.Load(); n != 0 {
			b.Errorf("%d registrations are left", n)
		}
	})
}

// A ctx is watched while a read waits, and after that only if it is used again and again.
func TestContextIsLeft(t *testing.T) {
	for name, interval := range map[string]time.Duration{"keepalive": 0, "no keepalive": -1} {
		t.Run(name, func(t *testing.T) { testContextIsLeft(t, limits(conn.Limits{PingInterval: interval})) })
	}
}

func testContextIsLeft(t *testing.T, o *conn.Options) {
	allOdds(t, o, 1<<10, nil, func(b *bubble) {
		newContext := func() tallied {
			return tallied{context.Background(), make(chan struct{}), new(atomic.Int32)}
		}
		read := func(ctx tallied, want int32) {
			b.Helper()
			go func() {
				synctest.Wait()
				b.p.Send(wstest.Text("x"))
			}()
			if _, _, err := b.c.Read(ctx); err != nil {
				b.Fatal(err)
			}
			if n := ctx.watch.Load(); n != want {
				b.Errorf("%d registrations are left, want %d", n, want)
			}
		}
		first, one, other := newContext(), newContext(), newContext()
		read(first, 0)
		read(first, 1)
		read(one, 0)
		if n := first.watch.Load(); n != 0 {
			b.Errorf("%d registrations of the first ctx are left", n)
		}
		read(other, 0)
		read(one, 0)
		read(one, 1)
		read(one, 1)
		read(other, 0)
		if n := one.watch.Load(); n != 0 {
			b.Errorf("%d registrations of another ctx are left", n)
		}
	})
}

// A listed ctx counts how often somebody has begun to watch it.
type listed struct {
	tallied
	begun *atomic.Int32
}

func (c listed) AfterFunc(f func()) func() bool {
	c.begun.Add(1)
	return c.tallied.AfterFunc(f)
}

// A ctx that is used again and again is registered with twice: for the first read, and for the
// second and all that follow.
func TestKeptContextIsNotRegisteredAgain(t *testing.T) {
	allOdds(t, nil, 1<<10, nil, func(b *bubble) {
		ctx := listed{tallied{context.Background(), make(chan struct{}), new(atomic.Int32)}, new(atomic.Int32)}
		for range 10 {
			go func() {
				synctest.Wait()
				b.p.Send(wstest.Text("x"))
			}()
			if _, _, err := b.c.Read(ctx); err != nil {
				b.Fatal(err)
			}
		}
		if n := ctx.begun.Load(); n != 2 {
			b.Errorf("%d registrations for 10 reads, want 2", n)
		}
	})
}

// A wary ctx ends when it was asked too often whether it may end.
type wary struct {
	context.Context
	end   context.CancelFunc
	asked *atomic.Int32
}

func (c wary) Done() <-chan struct{} {
	if c.asked.Add(1) > 1000 {
		c.end()
	}
	return c.Context.Done()
}

// A read of a socket whose ctx may end waits: it does not try again and again, neither the first
// time nor when its ctx is watched already.
func TestReadOfSocketWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &conn.Options{Loop: &conn.Loop{}} // in memory a loop's sockets alone can be tried
		c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{Server: o})
		defer c.CloseNow()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 4 {
			asked := wary{ctx, cancel, new(atomic.Int32)}
			got := call(func() error { _, _, err := c.Read(asked); return err })
			synctest.Wait()
			p.Send(wstest.Text("x"))
			if err := <-got; err != nil {
				t.Fatalf("read %d: %v, after its ctx was asked %d times", i, err, asked.asked.Load())
			}
		}
		c.Close(frame.StatusNormalClosure, "")
	})
}

// An untimely ctx calls a function when it is asked for its error for the first time.
type untimelyContext struct {
	context.Context
	asked func()
}

func (c *untimelyContext) Err() error {
	if f := c.asked; f != nil {
		c.asked = nil
		f()
	}
	return nil
}

// A read that begins as the connection ends keeps nobody from what is left to do: the stream is
// closed as soon as the peer has done its part.
func TestReadBeginsAtEnd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the read goes on before the closer begins
	inBubbles(t, conn.Limits{QueueBytes: 1}, func(b *bubble) {
		tooLong := conn.NewPrepared(conn.Text, []byte("too long"))
		_, _, err := b.c.Read(&untimelyContext{b.Context(), func() { wantError(b.T, b.c.Send(tooLong), conn.ErrQueueFull) }})
		wantError(b.T, err, conn.ErrQueueFull)
		b.p.WantClose(frame.StatusTryAgainLater)
		b.p.Send(wstest.Close(frame.StatusTryAgainLater, ""))
		b.p.CloseWrite()
		<-b.c.Done()
		b.at(0)
	})
}
