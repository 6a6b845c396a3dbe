package conn_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// What is sent is unsent as long as the peer does not read.
func TestUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		s := must(conn.New(&handshake.Result{Conn: a}, conn.RoleServer, &conn.Options{Limits: conn.Limits{QueueBytes: -1}}))
		c := must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, nil))
		defer c.CloseNow()
		defer s.CloseNow()
		if s.Unsent() {
			t.Error("octets on their way before anything was sent")
		}
		p := conn.NewPrepared(conn.Binary, make([]byte, 1<<20))
		if len(p.Payload()) != p.Len() {
			t.Errorf("payload of %d octets, want %d", len(p.Payload()), p.Len())
		}
		const n = 4
		for range n {
			if err := s.Send(p); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if !s.Unsent() {
			t.Error("nothing on its way though the peer does not read")
		}
		for range n {
			if _, _, err := c.Read(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if s.Unsent() {
			t.Error("octets on their way though the peer has read all")
		}
	})
}

// A message whose Writer has sent a fragment is unsent until Close, though the
// stream has taken all of it.
func TestUnsentFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		s := must(conn.New(&handshake.Result{Conn: a}, conn.RoleServer, nil))
		c := must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, nil))
		defer c.CloseNow()
		defer s.CloseNow()
		w := must(s.Writer(context.Background(), conn.Binary))
		must(w.Write(make([]byte, 64<<10+1)))
		synctest.Wait()
		if !s.Unsent() {
			t.Error("half a message, and nothing on its way")
		}
		wantNoError(t, w.Close())
		synctest.Wait()
		if s.Unsent() {
			t.Error("octets on their way though the stream has taken all")
		}
	})
}

// A willing stream takes all that is tried of it, and fails a write that may
// block: what the caller can write itself leaves no work to the flusher.
type willing struct {
	net.Conn
	t *testing.T
}

func (w willing) TryWrite(p []byte) (int, error) { return w.Conn.Write(p) }

func (w willing) Write(p []byte) (int, error) {
	w.t.Error("a goroutine of its own writes what the caller could")
	return w.Conn.Write(p)
}

// What a willing stream takes is written when the call returns, in both roles.
func TestWrittenByCaller(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		a, b := pipe.New()
		defer b.Close()
		c := must(conn.New(&handshake.Result{Conn: willing{a, t}}, role, nil))
		defer c.CloseNow()
		for name, write := range writes {
			for _, text := range []string{"short", string(make([]byte, 100<<10))} {
				wantNoError(t, write(c, text))
				if c.Unsent() {
					t.Errorf("%s of %d bytes: not written when it returns", name, len(text))
				}
			}
		}
	})
}

// A unheard stream is one whose writes fail.
type unheard struct{ net.Conn }

var errUnheard = errors.New("unheard")

func (unheard) Write([]byte) (int, error) { return 0, errUnheard }

// What has come before a write fails is delivered, however long the application
// takes over a message. Whoever does not read at all is not waited for.
func TestWriteFailsInBusyHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: unheard{a}}, conn.RoleServer, nil))
		p := wstest.NewPeer(t, b, conn.RoleClient)
		p.Send(wstest.Text("first"), wstest.Text("second"))
		var got bytes.Buffer
		err := each(c, context.Background(), func(m conn.Message) error {
			if got.Write(m.Payload); got.String() == "first" {
				c.Write(context.Background(), conn.Text, nil) // held back: it fails in a goroutine of its own
				<-time.After(time.Hour)
			}
			return nil
		})
		if got.String() != "firstsecond" || !errors.Is(err, errUnheard) {
			t.Errorf("got %q, %v; want both messages, and why the write failed", got.String(), err)
		}

		idle := must(conn.New(&handshake.Result{Conn: unheard{first(pipe.New())}}, conn.RoleServer, nil))
		began := time.Now()
		if err := idle.Write(context.Background(), conn.Text, nil); !errors.Is(err, errUnheard) {
			t.Errorf("Write = %v", err)
		}
		if idle.Unsent() {
			t.Error("what could not be written is on its way")
		}
		<-idle.Done()
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("the stream is closed after %v, want CloseTimeout", d)
		}
	})
}

func first[T any](v, _ T) T { return v }

// A write that is under way is unsent, though what others write is held meanwhile; and Flush
// waits for it, and no longer.
func TestWriteUnderWayIsUnsent(t *testing.T) {
	for name, held := range map[string]bool{"held": true, "not held": false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			defer theirs.Close()
			c := must(conn.New(&handshake.Result{Conn: pondering{ours}}, conn.RoleServer, nil))
			defer c.CloseNow()
			wrote := call(func() error { return c.Write(t.Context(), conn.Text, nil) })
			synctest.Wait()
			if held {
				defer c.Hold().Release()
			}
			if !c.Unsent() {
				t.Errorf("%s: nothing is on its way", name)
			}
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			wantNoError(t, c.Flush(ctx))
			if d := time.Since(start); d != time.Millisecond {
				t.Errorf("%s: Flush took %v, want 1 ms", name, d)
			}
			wantNoError(t, <-wrote)
			if c.Unsent() {
				t.Errorf("%s: something is on its way", name)
			}
		})
	}
}

// A Ping keeps its place, however much is to be sent before it.
func TestPingKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		may := make(chan struct{})
		c := must(conn.New(&handshake.Result{Conn: tried{&reluctant{Conn: ours, may: may}}}, conn.RoleServer, nil))
		defer c.CloseNow()
		large := make([]byte, 70<<10)
		wantNoError(t, c.Write(t.Context(), conn.Text, nil)) // keeps the flusher
		synctest.Wait()
		wantNoError(t, c.Send(conn.NewPrepared(conn.Binary, large)))
		go c.Ping(t.Context())
		synctest.Wait()
		wantNoError(t, c.Send(conn.NewPrepared(conn.Text, []byte("last"))))
		close(may)
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Want(wstest.Text(""), wstest.Binary(large))
		if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Ping {
			t.Errorf("got %v, %v; want a Ping", f, err)
		}
		p.Want(wstest.Text("last"))
	})
}

// Once the connection is over nothing is unsent, whatever was dropped.
func TestNothingIsUnsentAfterEnd(t *testing.T) {
	allOdds(t, &conn.Options{Limits: conn.Limits{QueueBytes: -1}}, 1<<10, nil, func(b *bubble) {
		for range 3 {
			wantNoError(b.T, b.c.Send(conn.NewPrepared(conn.Binary, make([]byte, 100<<10))))
		}
		synctest.Wait()
		if !b.c.Unsent() {
			b.Error("nothing is unsent though the peer does not read")
		}
		b.c.CloseNow()
		<-b.c.Done()
		synctest.Wait()
		if b.c.Unsent() {
			b.Error("something is unsent though the connection is over")
		}
	})
}
