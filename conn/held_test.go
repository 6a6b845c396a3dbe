package conn_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
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

// writes are the ways to send a text.
var writes = map[string]func(*conn.Conn, string) error{
	"Write": func(c *conn.Conn, s string) error { return c.Write(context.Background(), conn.Text, []byte(s)) },
	"WritePrepared": func(c *conn.Conn, s string) error {
		return c.WritePrepared(context.Background(), conn.NewPrepared(conn.Text, []byte(s)))
	},
	"Send": func(c *conn.Conn, s string) error { return c.Send(conn.NewPrepared(conn.Text, []byte(s))) },
	"Writer": func(c *conn.Conn, s string) error {
		w, err := c.Writer(context.Background(), conn.Text)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(s)); err != nil {
			return err
		}
		return w.Close()
	},
}

// A handler that blocks, with another message at hand for which what is written
// is held back, delays neither what it has written nor what others write: both
// come while it blocks, and in virtual time at once.
func TestHandlerBlocks(t *testing.T) {
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, conn.Limits{}, func(b *bubble) {
				testHandlerBlocks(b.T, b.c, b.p, write)
				b.at(0)
			})
			allStreams(t, func(t *testing.T, s stream) {
				server, client := s.make(t)
				c := must(conn.New(&handshake.Result{Conn: server}, conn.RoleServer, nil))
				defer within(t, time.Minute, c)()
				testHandlerBlocks(t, c, wstest.NewPeer(t, client, conn.RoleClient), write)
			})
		})
	}
}

func testHandlerBlocks(t *testing.T, c *conn.Conn, p *wstest.Peer, write func(*conn.Conn, string) error) {
	enough := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		failed <- each(c, context.Background(), func(m conn.Message) error {
			err := write(c, "to "+string(m.Payload))
			if string(m.Payload) == "first" {
				<-enough
			}
			return err
		})
	}()
	p.Send(wstest.Text("first"), wstest.Text("second"))
	p.Want(wstest.Text("to first"))
	wantNoError(t, write(c, "from others"))
	p.Want(wstest.Text("from others"))
	close(enough)
	p.Want(wstest.Text("to second"))
	c.CloseNow()
	wantClosedHere(t, <-failed)
}

// A reluctant stream counts its writes and lets none go on before it may. What
// is tried of it takes nothing.
type reluctant struct {
	net.Conn
	writes atomic.Int32
	may    chan struct{}
}

func (r *reluctant) Write(p []byte) (int, error) {
	r.writes.Add(1)
	<-r.may
	return r.Conn.Write(p)
}

// A tried one has TryWrite.
type tried struct{ *reluctant }

func (tried) TryWrite([]byte) (int, error) { return 0, nil }

// meet is how many messages meet.
const meet = 100

// testMeet runs do with a server over a stream that can be tried, or can't be,
// and takes nothing, and its peer. The messages that handler or do write by then
// must leave in two writes: one that is under way, and one for all the rest.
func testMeet(t *testing.T, handler func(*conn.Conn, conn.Message) error, do func(*conn.Conn, *wstest.Peer)) {
	for _, try := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pipe.New()
			s := &reluctant{Conn: a, may: make(chan struct{})}
			hs := &handshake.Result{Conn: s}
			if try {
				hs.Conn = tried{s}
			}
			c := must(conn.New(hs, conn.RoleServer, nil))
			p := wstest.NewPeer(t, b, conn.RoleClient)
			failed := make(chan error, 1)
			go func() {
				failed <- each(c, t.Context(), func(m conn.Message) error { return handler(c, m) })
			}()
			do(c, p)
			synctest.Wait()
			if n := s.writes.Load(); n != 1 {
				t.Errorf("try %t: %d writes of a stream that takes nothing", try, n)
			}
			close(s.may)
			p.Want(numberedFrames()...)
			if n := s.writes.Load(); n > 2 {
				t.Errorf("try %t: %d writes for %d messages, want 2 at most", try, n, meet)
			}
			c.CloseNow()
			<-failed
		})
	}
}

func numberedFrames() (frames []wstest.Frame) {
	for i := range meet {
		frames = append(frames, wstest.Text(fmt.Sprint("message ", i)))
	}
	return frames
}

func ignore(*conn.Conn, conn.Message) error { return nil }

// Broadcasts that meet in a queue leave in one write.
func TestBroadcastsMeet(t *testing.T) {
	testMeet(t, ignore, func(c *conn.Conn, _ *wstest.Peer) {
		for _, f := range numberedFrames() {
			wantNoError(t, c.Send(conn.NewPrepared(conn.Text, f.Payload)))
		}
	})
}

// So do messages of all kinds that are written while a write is under way.
func TestWritesMeet(t *testing.T) {
	testMeet(t, ignore, func(c *conn.Conn, _ *wstest.Peer) {
		ways := []string{"Send", "Write", "WritePrepared", "Writer"}
		for i, f := range numberedFrames() {
			wantNoError(t, writes[ways[i%len(ways)]](c, string(f.Payload)))
			synctest.Wait() // the first is under way
		}
	})
}

// So do the answers to messages that came together.
func TestAnswersMeet(t *testing.T) {
	echo := func(c *conn.Conn, m conn.Message) error { return c.Write(context.Background(), m.Type, m.Payload) }
	testMeet(t, echo, func(_ *conn.Conn, p *wstest.Peer) { p.Send(numberedFrames()...) })
}

// A ready stream can be tried, and takes all then. Its other writes don't go on before they may.
type ready struct{ *reluctant }

func (r ready) TryWrite(p []byte) (int, error) {
	r.writes.Add(1)
	return r.Conn.Write(p)
}

// The Pongs for Pings that came together leave in a few writes.
func TestPongsMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		s := ready{&reluctant{Conn: ours, may: make(chan struct{})}}
		c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, nil))
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		failed := reading(c)
		pings, pongs := pings(meet)
		p.Send(pings...)
		synctest.Wait()
		close(s.may)
		p.Want(pongs...)
		if n := s.writes.Load(); n > meet/10 {
			t.Errorf("%d writes for %d Pongs", n, meet)
		}
		c.CloseNow()
		<-failed
	})
}

// Behind a large frame that is half out come the control frames, of Pongs the
// latest, and then the messages that wait.
func TestControlBehindLargeFrame(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		failed := reading(b.c)
		large := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
		wrote := make(chan error, 2)
		go func() { wrote <- b.c.Write(context.Background(), conn.Binary, large) }()
		synctest.Wait()
		go func() { wrote <- b.c.Write(context.Background(), conn.Text, []byte("next")) }()
		for _, ping := range []string{"1", "2", "3"} {
			b.p.Send(wstest.Ping(ping))
			synctest.Wait()
		}
		b.p.Want(wstest.Binary(large), wstest.Pong("3"), wstest.Text("next"))
		wantNoError(b.T, <-wrote)
		wantNoError(b.T, <-wrote)
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// A message that is written while another one is under way goes out after it, though nobody
// writes again.
func TestWriteTakesOthersAlong(t *testing.T) {
	for name, write := range writes {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			c := must(conn.New(&handshake.Result{Conn: pondering{ours}}, conn.RoleServer, nil))
			defer c.CloseNow()
			first := call(func() error { return write(c, "first") })
			synctest.Wait()
			wantNoError(t, write(c, "second"))
			p := wstest.NewPeer(t, theirs, conn.RoleClient)
			p.Want(wstest.Text("first"), wstest.Text("second"))
			if err := <-first; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A message that Send has queued while a large one goes out is sent after it, though the
// connection is closed meanwhile.
func TestQueuedBehindLargeMessageBeforeClose(t *testing.T) {
	overCases(t, cases(inMemory(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		large := noise(300_000)
		wrote := call(func() error { return l.c.Write(context.Background(), conn.Binary, large) })
		l.settle()
		wantNoError(t, l.c.Send(conn.NewPrepared(conn.Text, []byte("queued"))))
		closed := call(func() error { return l.c.Close(4000, "") })
		l.settle()
		l.p.WantMessage(frame.Binary, large)
		l.p.WantMessage(frame.Text, []byte("queued"))
		l.p.WantClose(4000)
		l.p.Send(wstest.Close(4000, ""))
		wantNoError(t, <-wrote)
		wantNoError(t, <-closed)
	})
}

// So is one that Send has queued while the last fragment of a Writer goes out.
func TestQueuedBehindLastFragmentBeforeClose(t *testing.T) {
	overCases(t, cases(inMemory(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		const fragment = 64 << 10
		large := noise(fragment + 30_000)
		wrote := call(func() error {
			w := must(l.c.Writer(context.Background(), conn.Binary))
			wantNoError(t, write(w, large))
			return w.Close()
		})
		l.p.Want(wstest.Binary(large[:fragment]).More())
		l.settle()
		wantNoError(t, l.c.Send(conn.NewPrepared(conn.Text, []byte("queued"))))
		closed := call(func() error { return l.c.Close(4000, "") })
		l.settle()
		l.p.Want(wstest.Cont(string(large[fragment:])), wstest.Text("queued"))
		l.p.WantClose(4000)
		l.p.Send(wstest.Close(4000, ""))
		wantNoError(t, <-wrote)
		wantNoError(t, <-closed)
	})
}

// A Pong that is held back, for more has come, leaves though the handler of that blocks.
func TestHandlerBlocksAfterPing(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		enough := make(chan struct{})
		ended := call(func() error {
			return each(b.c, context.Background(), func(conn.Message) error {
				<-enough
				return nil
			})
		})
		b.p.SendBytes(append(b.octets(wstest.Ping("1")), b.octets(wstest.Text("text"))...))
		b.p.Want(wstest.Pong("1"))
		b.at(0)
		close(enough)
		b.c.CloseNow()
		wantClosedHere(b.T, <-ended)
	})
}

// What is held back leaves when the peer has ended the stream, since nothing comes after it.
func TestHeldUntilStreamEnds(t *testing.T) {
	for name, write := range writes {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			c := must(conn.New(&handshake.Result{Conn: ours}, conn.RoleServer, nil))
			defer c.CloseNow()
			defer c.Hold().Release()
			wantNoError(t, write(c, name))
			ended := reading(c)
			synctest.Wait()
			theirs.(interface{ CloseWrite() error }).CloseWrite()
			<-ended
			wstest.NewPeer(t, theirs, conn.RoleClient).Want(wstest.Text(name))
		})
	}
}

// The queue takes as many messages as it may, 1,024 by default, and as many bytes, 1 MiB by
// default, beside the message that is under way.
func TestQueueHolds(t *testing.T) {
	for _, tt := range []struct {
		limits conn.Limits
		size   int // bytes of a message
		want   int // messages
	}{
		{conn.Limits{QueueMessages: 10}, 0, 10},
		{conn.Limits{}, 0, 1024},
		{conn.Limits{QueueBytes: 1000}, 98, 10}, // frames of 100 bytes
		{conn.Limits{}, 32<<10 - 4, 32},         // and of 32 KiB
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			defer theirs.Close()
			may := make(chan struct{})
			hs := &handshake.Result{Conn: tried{&reluctant{Conn: ours, may: may}}}
			c := must(conn.New(hs, conn.RoleServer, limits(tt.limits)))
			defer c.CloseNow()
			p := conn.NewPrepared(conn.Binary, make([]byte, tt.size))
			for range 1 + tt.want {
				wantNoError(t, c.Send(p))
			}
			wantError(t, c.Send(p), conn.ErrQueueFull)
			close(may)
		})
	}
}
