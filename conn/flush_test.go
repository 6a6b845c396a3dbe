package conn_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// Flush waits for what the peer has not taken, for no longer than its ctx, and
// returns the cause once the connection has ended.
func TestFlush(t *testing.T) {
	for _, role := range []conn.Role{conn.RoleServer, conn.RoleClient} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pipe.New()
			options := &conn.Options{Limits: conn.Limits{QueueBytes: -1, Message: -1}}
			c := must(conn.New(&handshake.Result{Conn: a}, role, options))
			peer := must(conn.New(&handshake.Result{Conn: b}, !role, options))
			defer c.CloseNow()
			defer peer.CloseNow()
			wantNoError(t, c.Flush(t.Context()))
			const n = 4
			for range n {
				wantNoError(t, c.Send(conn.NewPrepared(conn.Binary, make([]byte, 1<<20))))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Flush = %v, though the peer does not read", err)
			}
			flushed := make(chan error, 1)
			go func() { flushed <- c.Flush(t.Context()) }()
			synctest.Wait()
			select {
			case err := <-flushed:
				t.Errorf("Flush = %v, though the peer does not read", err)
			default:
			}
			for range n {
				must2(peer.Read(t.Context()))
			}
			wantNoError(t, <-flushed)
			c.CloseNow()
			if err := c.Flush(t.Context()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Flush of a closed connection = %v", err)
			}
		})
	}
}

// must2 returns what a read has read.
func must2(_ conn.MessageType, p []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return p
}

// A message that is sent in several steps is waited for.
func TestFlushFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer b.Close()
		c := must(conn.New(&handshake.Result{Conn: a}, conn.RoleServer, nil))
		defer c.CloseNow()
		w := must(c.Writer(t.Context(), conn.Binary))
		must(w.Write(make([]byte, 100<<10)))
		flushed := make(chan error, 1)
		go func() { flushed <- c.Flush(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-flushed:
			t.Errorf("Flush = %v in the middle of a message", err)
		default:
		}
		wantNoError(t, w.Close())
		wantNoError(t, <-flushed)
	})
}

// What is held is waited for.
func TestFlushHeld(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		held := b.c.Hold()
		wantNoError(b.T, b.c.Write(context.Background(), conn.Text, []byte("held")))
		flushed := call(func() error { return b.c.Flush(b.Context()) })
		synctest.Wait()
		select {
		case err := <-flushed:
			b.Errorf("Flush = %v, though something is held", err)
		default:
		}
		held.Release()
		wantNoError(b.T, <-flushed)
		b.p.Want(wstest.Text("held"))
	})
}

// A Flush that has failed leaves nothing locked.
func TestFlushAfterTheEnd(t *testing.T) {
	ours, theirs := pipe.New()
	defer theirs.Close()
	c := must(conn.New(&handshake.Result{Conn: ours}, conn.RoleServer, nil))
	c.CloseNow()
	for range 2 {
		select {
		case err := <-call(func() error { return c.Flush(context.Background()) }):
			wantClosedHere(t, err)
		case <-time.After(slack):
			t.Fatal("Flush hangs")
		}
	}
}

// A passing stream takes all that is tried of it.
type passing struct{ net.Conn }

func (s passing) TryWrite(p []byte) (int, error) { return s.Conn.Write(p) }

// No Flush misses its end, whichever way the others write.
func TestFlushAmongWriters(t *testing.T) {
	a, b := pipe.New()
	c := must(conn.New(&handshake.Result{Conn: passing{a}}, conn.RoleServer, nil))
	peer := must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, nil))
	go each(peer, context.Background(), func(conn.Message) error { return nil })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				wantNoError(t, c.Write(context.Background(), conn.Text, []byte("x")))
				wantNoError(t, c.Flush(context.Background()))
			}
		})
	}
	all.Wait()
	c.CloseNow()
	peer.CloseNow()
	<-c.Done()
	<-peer.Done()
}

// Flush waits for a write that is under way, whatever else looks at the connection meanwhile, and
// returns when it is done.
func TestFlushAmongOthers(t *testing.T) {
	for name, look := range map[string]func(c *conn.Conn, p *wstest.Peer){
		"Unsent": func(c *conn.Conn, _ *wstest.Peer) { c.Unsent() },
		"a Pong": func(_ *conn.Conn, p *wstest.Peer) { p.Send(wstest.Pong("\x00\x00\x00\x00\x00\x00\x00\x01")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			c := must(conn.New(&handshake.Result{Conn: pondering{ours}}, conn.RoleServer, nil))
			p := wstest.NewPeer(t, theirs, conn.RoleClient)
			ended := reading(c)
			start := time.Now()
			wrote := call(func() error { return c.Write(t.Context(), conn.Text, nil) })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			flushed := call(func() error { return c.Flush(ctx) })
			synctest.Wait()
			look(c, p)
			if err := <-flushed; err != nil || time.Since(start) != time.Millisecond {
				t.Errorf("%s: Flush = %v after %v, want 1 ms", name, err, time.Since(start))
			}
			wantNoError(t, <-wrote)
			c.CloseNow()
			<-ended
		})
	}
}

// A brief stream takes all that is tried of it, after it has told of the write and computed for a
// moment.
type brief struct {
	net.Conn
	begun atomic.Int32 // the round of the write
	steps int32
}

func (s *brief) TryWrite(p []byte) (int, error) {
	s.begun.Add(1)
	for range s.steps {
	}
	return len(p), nil
}

// reach waits until n is at least round.
func reach(n *atomic.Int32, round int32) {
	for i := 0; n.Load() < round; i++ {
		if i > 30_000 { // perhaps there is one processor
			runtime.Gosched()
		}
	}
}

// A Flush that begins while a write is about to end, which nothing follows, returns. The moment that
// is looked for lasts some 100 ns.
func TestFlushMeetsEndOfWrite(t *testing.T) {
	a, b := pipe.New()
	defer b.Close()
	s := &brief{Conn: a}
	c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, nil))
	defer c.CloseNow()
	rounds := int32(scale(10_000))
	var begin atomic.Int32
	wrote := call(func() error {
		for round := range rounds {
			reach(&begin, round+1)
			s.steps = round % 500
			if err := c.Write(context.Background(), conn.Text, nil); err != nil {
				return err
			}
		}
		return nil
	})
	for round := range rounds {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		begin.Store(round + 1)
		reach(&s.begun, round+1)
		err := c.Flush(ctx)
		cancel()
		if err != nil {
			begin.Store(rounds)
			t.Errorf("round %d: Flush = %v", round, err)
			break
		}
	}
	wantNoError(t, <-wrote)
}
