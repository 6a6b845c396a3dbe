package conn

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A connection that waits for the next message holds nothing of the last one:
// the view would keep a buffer that others use by now.
func TestIdleHoldsNoView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, nil))
		var got string
		go c.Each(context.Background(), func(m Message) error {
			got = string(m.Payload)
			return nil
		})
		theirs.Write(frame.Header{Fin: true, Opcode: frame.Text, Length: 5}.Append(nil))
		theirs.Write([]byte("hello"))
		synctest.Wait()
		if got != "hello" || c.stream.Held() > 0 {
			t.Errorf("got %q, and it holds %d bytes", got, c.stream.Held())
		}
		c.CloseNow()
	})
}

// A connection of a loop that waits for the rest of a frame holds a small buffer, though
// what came before it needed a large one.
func TestIdleHoldsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, &Options{Loop: &Loop{}}))
		got := 0
		Receive(c, func(m Message) error { got++; return nil }, func(error) {})
		message := frame.Header{Fin: true, Opcode: frame.Text, Length: 100}.Append(nil)
		message = append(message, make([]byte, 100)...)
		for range 3 { // the third finds the buffer as the second has left it
			theirs.Write(bytes.Repeat(message, 200))
			theirs.Write(message[:50])
			synctest.Wait()
			if c.stream.Held() > 4<<10 {
				t.Errorf("it holds %d bytes", c.stream.Held())
			}
			theirs.Write(message[50:])
		}
		synctest.Wait()
		if got != 3*201 || c.stream.Held() > 0 {
			t.Errorf("%d messages, and it holds %d bytes", got, c.stream.Held())
		}
		if c.in.wakers != nil {
			t.Error("it holds what wakes a goroutine")
		}
		if c.in.parser != nil {
			t.Error("it holds a parser, though nothing is under way")
		}
		c.CloseNow()
	})
}

// A willing stream takes all that is tried.
type willing struct{ net.Conn }

func (s willing) TryWrite(p []byte) (int, error) { return s.Write(p) }

// A connection with nothing to send, for which nobody waits, holds no backlog, whatever was sent.
// One whose stream can't be tried keeps it, and holds no buffer.
func TestIdleHoldsNoBacklog(t *testing.T) {
	for name, send := range map[string]func(c *Conn) error{
		"nothing":         func(*Conn) error { return nil },
		"a message":       func(c *Conn) error { return c.Write(context.Background(), Binary, make([]byte, 100)) },
		"a large message": func(c *Conn) error { return c.Write(context.Background(), Binary, make([]byte, 1<<20)) },
		"what was held": func(c *Conn) error {
			defer c.Cork().Release()
			return c.Write(context.Background(), Text, nil)
		},
		"a Ping, of whose Pong nobody hears": func(c *Conn) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c.Ping(ctx)
			return c.Flush(context.Background())
		},
	} {
		for _, try := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := pipe.New()
				go io.Copy(io.Discard, theirs)
				if try {
					ours = willing{ours}
				}
				c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
				if err := send(c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				synctest.Wait()
				c.out.mu.Lock()
				if b := c.out.backlog; b != nil && (c.out.tries || b.pending.own != nil) {
					t.Errorf("%s: there is a backlog, or a buffer; tried: %t", name, c.out.tries)
				}
				c.out.mu.Unlock()
				c.CloseNow()
			})
		}
	}
}

// Of a connection that is open nothing is noted, whatever it has read and written.
func TestOpenHasNoNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		go io.Copy(io.Discard, theirs)
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, nil))
		w := must(c.Writer(context.Background(), Text))
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		theirs.Write(frame.Header{Fin: true, Opcode: frame.Text}.Append(nil))
		if _, _, err := c.Read(context.Background()); err != nil {
			t.Error(err)
		}
		if c.life.notes != nil {
			t.Errorf("noted: %+v", c.life.notes)
		}
		c.CloseNow()
	})
}

// What is held back is unsent while a flusher is about to send it, and Flush waits until that
// has ended.
func TestFlusherIsWaitedFor(t *testing.T) {
	for name, hold := range map[string]func(c *Conn) Cork{"Cork": (*Conn).Cork, "Hold": (*Conn).Hold} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			go io.Copy(io.Discard, theirs)
			c := must(New(&handshake.Result{Conn: willing{ours}}, RoleServer, nil))
			c.out.lock()
			c.out.flushing = true // as if it were about to run
			c.out.unlock()
			cork := hold(c)
			if err := c.Write(context.Background(), Text, nil); err != nil || !c.Unsent() {
				t.Errorf("%s: Write = %v, and nothing is unsent", name, err)
			}
			cork.Release()
			flushed := make(chan error, 1)
			go func() { flushed <- c.Flush(context.Background()) }()
			synctest.Wait()
			select {
			case err := <-flushed:
				t.Errorf("%s: Flush = %v, before the flusher has ended", name, err)
			default:
			}
			c.out.lock()
			c.out.flushing = false
			c.out.startFlusher()
			c.out.unlock()
			if err := <-flushed; err != nil {
				t.Errorf("%s: Flush = %v", name, err)
			}
			if c.Unsent() {
				t.Errorf("%s: something is unsent", name)
			}
			c.CloseNow()
		})
	}
}

// A Ping whose Pong nobody waits for any more is forgotten.
func TestPingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		go io.Copy(io.Discard, theirs)
		c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
		for range 3 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if err := c.Ping(ctx); err == nil {
				t.Error("a Pong came")
			}
			cancel()
		}
		if n := len(c.pings.rest.waits); n > 0 {
			t.Errorf("%d Pings are kept", n)
		}
		c.CloseNow()
	})
}
