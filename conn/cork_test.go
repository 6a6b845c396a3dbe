package conn_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// A countingConn counts writes.
type countingConn struct {
	net.Conn
	writes atomic.Int32
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// What is sent between Cork and Uncork is in order, leaves in fewer writes than
// messages, and does not wait for Uncork if the sender blocks.
func TestCork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		stream := &countingConn{Conn: a}
		s := must(conn.New(&handshake.Result{Conn: stream}, conn.RoleServer, nil))
		c := must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, nil))
		defer c.CloseNow()
		defer s.CloseNow()
		want := func(i int) {
			t.Helper()
			if _, p, err := c.Read(context.Background()); err != nil || string(p) != fmt.Sprint(i) {
				t.Fatalf("read %q, %v; want %d", p, err, i)
			}
		}
		const n = 100
		first, second := s.Cork(), s.Cork()
		for i := range n {
			if err := s.Send(conn.NewPrepared(conn.Text, fmt.Append(nil, i))); err != nil {
				t.Fatal(err)
			}
		}
		first.Release()
		synctest.Wait() // the sender blocks
		for i := range n {
			want(i)
		}
		second.Release()
		if w := stream.writes.Load(); w > n/2 {
			t.Errorf("%d writes for %d messages", w, n)
		}
		if err := s.Send(conn.NewPrepared(conn.Text, []byte("100"))); err != nil {
			t.Fatal(err)
		}
		want(n)
	})
}

// What is sent between Hold and Release leaves in one write, not before Release, unless
// it gets too much or the connection is closed. It does not count as unsent, but what the
// stream does not take does.
func TestHold(t *testing.T) {
	for _, tt := range []struct {
		name     string
		count    int
		size     int  // of each, and six digits
		cork     bool // besides
		close    bool // while it is held
		at, last int  // writes before and after Release
	}{
		{name: "one", count: 1, last: 1},
		{name: "many", count: 400, last: 1},
		{name: "nothing"},
		{name: "half of the queue", count: 800, at: 1, last: 1},
		{name: "64 KiB", count: 300, size: 400, at: 1, last: 2},
		{name: "corked too", count: 400, cork: true, at: 1, last: 1},
		{name: "closed", count: 400, close: true, at: 1, last: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe.New()
				stream := &countingConn{Conn: a}
				s := must(conn.New(&handshake.Result{Conn: stream}, conn.RoleServer, nil))
				c := must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, nil))
				defer c.CloseNow()
				defer s.CloseNow()
				text := func(i int) string { return fmt.Sprintf("%s%06d", strings.Repeat("a", tt.size), i) }
				var reading sync.WaitGroup
				defer reading.Wait()
				reading.Go(func() {
					for i := range tt.count {
						if _, p, err := c.Read(context.Background()); err != nil || string(p) != text(i) {
							t.Errorf("read %q, %v; want %d", p, err, i)
							c.CloseNow()
							return
						}
					}
					if tt.close {
						c.Read(context.Background())
					}
				})
				first, second := s.Hold(), s.Hold()
				var cork conn.Cork
				if tt.cork {
					cork = s.Cork()
				}
				for i := range tt.count {
					if err := s.Send(conn.NewPrepared(conn.Text, []byte(text(i)))); err != nil {
						t.Fatal(err)
					}
				}
				if tt.close {
					s.Close(frame.StatusNormalClosure, "")
				}
				first.Release()
				synctest.Wait()
				if n := int(stream.writes.Load()); n < tt.at || tt.at == 0 && n > 0 {
					t.Errorf("%d writes before Release, want %d", n, tt.at)
				}
				if s.Unsent() {
					t.Error("it is unsent, though nobody has to wait for it")
				}
				cork.Release()
				second.Release()
				synctest.Wait()
				if n := int(stream.writes.Load()); n < tt.last || tt.at == 0 && n > tt.last {
					t.Errorf("%d writes, want %d", n, tt.last)
				}
				reading.Wait()
				c.CloseNow()
				s.CloseNow()
				<-c.Done()
				<-s.Done()
			})
		})
	}
}

// Output that is held back does not take a message that has to wait: for the end of
// one that is half sent, for room, or for good once the connection has ended.
func TestHeldBackWaits(t *testing.T) {
	inBubblesWith(t, nil, 100, func(b *bubble) {
		defer b.c.CloseNow()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.c.Cork()
		w := must(b.c.Writer(ctx, conn.Binary))
		part := make([]byte, 64<<10) // a fragment
		wrote := make(chan error, 1)
		go func() { wrote <- write(w, append(part, 0)) }()
		synctest.Wait() // the flusher blocks in its middle
		go b.c.Ping(ctx)
		synctest.Wait() // the Ping waits, and there is room after it
		briefly := func(size int) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return b.c.Write(short, conn.Text, make([]byte, size))
		}
		wantError(b.T, briefly(1), context.DeadlineExceeded)

		b.p.Want(wstest.Binary(part).More())
		frame, err := b.p.Next() // the Ping
		if err != nil {
			b.Fatal(frame, err)
		}
		wantNoError(b.T, <-wrote)
		wantNoError(b.T, w.Close())
		b.p.Want(wstest.Cont("\x00"))
		wantNoError(b.T, briefly(1<<10)) // the flusher blocks again
		synctest.Wait()
		for range 63 {
			wantNoError(b.T, briefly(1<<10))
		}
		err = briefly(1 << 10) // with it those are 64 KiB, and it waits until it is sent
		if *inLoop {           // or has left it to the flusher, as on every socket
			wantNoError(b.T, err)
		} else {
			wantError(b.T, err, context.DeadlineExceeded)
		}
		wantError(b.T, briefly(1), context.DeadlineExceeded) // and this one waits for room
		b.c.CloseNow()
		wantClosedHere(b.T, briefly(1))
	})
}

// A message of up to 64 KiB leaves in one write, with its header.
func TestOneWrite(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		a, b := pipe.New()
		other := conn.RoleServer
		if role == conn.RoleServer {
			other = conn.RoleClient
		}
		stream := &countingConn{Conn: a}
		c := must(conn.New(&handshake.Result{Conn: stream}, role, nil))
		peer := must(conn.New(&handshake.Result{Conn: b}, other, nil))
		defer peer.CloseNow()
		defer c.CloseNow()
		for _, size := range []int{0, 125, 126, 1 << 10, 1<<16 - 1, 1 << 16} {
			before := stream.writes.Load()
			if err := c.Write(context.Background(), conn.Binary, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if _, p, err := peer.Read(context.Background()); err != nil || len(p) != size {
				t.Fatalf("read %d octets, %v; want %d", len(p), err, size)
			}
			if n := stream.writes.Load() - before; n != 1 {
				t.Errorf("%d octets: %d writes, want 1", size, n)
			}
		}
	})
}

// A measured stream can be tried, and keeps the lengths of its writes.
type measured struct {
	net.Conn
	lengths []int
}

func (m *measured) TryWrite(p []byte) (int, error) {
	m.lengths = append(m.lengths, len(p))
	return m.Write(p)
}

// A large message joins what is held back, if anything is, but no more than 64 KiB are gathered.
func TestLargeMessageJoinsUpToABatch(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		for _, held := range []int{0, 1} {
			ours, theirs := pipe.NewSize(1 << 20)
			s := &measured{Conn: ours}
			c := must(conn.New(&handshake.Result{Conn: s}, role, nil))
			for range held {
				defer c.Hold().Release()
				wantNoError(t, c.Write(t.Context(), conn.Binary, make([]byte, 1000)))
			}
			wantNoError(t, c.Write(t.Context(), conn.Binary, make([]byte, 200<<10)))
			if len(s.lengths) == 0 || s.lengths[0] != 64<<10 {
				t.Errorf("%d held: the stream got %d bytes, want 64 KiB at first", held, s.lengths)
			}
			if role == conn.RoleServer && len(s.lengths) > 2 {
				t.Errorf("%d held: the stream got %d bytes, want the rest at once, which is not copied", held, s.lengths)
			}
			c.CloseNow()
			theirs.Close()
		}
	})
}

// What is held leaves before it would fill the queue: once it is more than half of that.
func TestHoldUpToHalfOfTheQueue(t *testing.T) {
	for name, tt := range map[string]struct {
		limits conn.Limits
		size   int // of a message
		held   int // messages
	}{
		"messages": {conn.Limits{QueueMessages: 10}, 0, 5},
		"bytes":    {conn.Limits{QueueBytes: 1000}, 98, 5}, // frames of 100 bytes
	} {
		ours, theirs := pipe.NewSize(1 << 20)
		s := &measured{Conn: ours}
		c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, limits(tt.limits)))
		hold := c.Hold()
		p := conn.NewPrepared(conn.Binary, make([]byte, tt.size))
		for n := range tt.held {
			wantNoError(t, c.Send(p))
			if len(s.lengths) > 0 {
				t.Errorf("%s: something leaves with message %d", name, n+1)
			}
		}
		wantNoError(t, c.Send(p))
		if len(s.lengths) != 1 {
			t.Errorf("%s: %d writes after %d messages, want 1", name, len(s.lengths), tt.held+1)
		}
		hold.Release()
		c.CloseNow()
		theirs.Close()
	}
}

// Within a Hold, a Cork sends what is held as soon as there is time, and until then it is unsent:
// the caller of Cork may block.
func TestCorkWithinHold(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		defer b.c.CloseNow()
		ctx := context.Background()
		b.c.Hold()
		wantNoError(b.T, b.c.Write(ctx, conn.Text, []byte("held")))
		if b.c.Unsent() {
			b.Error("what a Hold alone holds back is unsent")
		}
		b.c.Cork()
		if !b.c.Unsent() {
			b.Error("what a Cork holds back too is as good as sent")
		}
		wantNoError(b.T, b.c.Write(ctx, conn.Text, []byte("corked")))
		b.p.Want(wstest.Text("held"), wstest.Text("corked"))
		b.at(0)
	})
}

// Nothing is added to what is held back after our Close frame.
func TestNothingJoinsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		may := make(chan struct{})
		c := must(conn.New(&handshake.Result{Conn: tried{&reluctant{Conn: ours, may: may}}}, conn.RoleServer, nil))
		defer c.CloseNow()
		wantNoError(t, c.Write(t.Context(), conn.Text, []byte("first"))) // keeps the flusher
		synctest.Wait()
		defer c.Cork().Release()
		wantNoError(t, c.Write(t.Context(), conn.Text, []byte("second")))
		closed := call(func() error { return c.Close(4000, "") })
		synctest.Wait()
		wantClosedHere(t, c.Write(t.Context(), conn.Text, []byte("third")))
		close(may)
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Want(wstest.Text("first"), wstest.Text("second"))
		p.WantClose(4000)
		p.Send(wstest.Close(4000, ""))
		wantNoError(t, <-closed)
		p.WantEOF()
	})
}

// Nothing is added to what is held back once that is 64 KiB: a Write waits for room.
func TestNothingJoinsBeyondABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		may := make(chan struct{})
		defer close(may)
		c := must(conn.New(&handshake.Result{Conn: tried{&reluctant{Conn: ours, may: may}}}, conn.RoleServer, nil))
		defer c.CloseNow()
		wantNoError(t, c.Write(t.Context(), conn.Text, []byte("first"))) // keeps the flusher
		synctest.Wait()
		defer c.Cork().Release()
		wantNoError(t, c.Write(t.Context(), conn.Text, []byte("second")))
		wantNoError(t, c.Send(conn.NewPrepared(conn.Binary, make([]byte, 64<<10))))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, c.Write(ctx, conn.Text, make([]byte, 1000)), context.DeadlineExceeded) // its buffer has room
	})
}

// When all messages that came at once have been handled nothing is held back any more.
func TestNothingCorkedAfterBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := wstest.PipePeer(t, conn.RoleServer, nil)
		got := 0
		failed := call(func() error {
			return each(c, context.Background(), func(conn.Message) error {
				if got++; got == 1 && conn.Corks(c) == 0 {
					t.Error("nothing is held back while more is at hand")
				}
				return nil
			})
		})
		p.Send(wstest.Text("1"), wstest.Text("2"), wstest.Text("3"))
		synctest.Wait()
		if n := conn.Corks(c); n != 0 || got != 3 {
			t.Errorf("%d hold back after %d messages", n, got)
		}
		c.CloseNow()
		<-failed
	})
}
