package conn_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/octetwise"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// However reads and writes happen to be divided, the messages are the same.
func TestOctetByOctet(t *testing.T) {
	allStreams(t, func(t *testing.T, s stream) {
		a, b := s.make(t)
		server := must(conn.New(&handshake.Result{Conn: octetwise.New(a), Deflate: deflate}, conn.RoleServer, nil))
		client := must(conn.New(&handshake.Result{Conn: octetwise.New(b), Deflate: deflate}, conn.RoleClient, nil))
		defer server.CloseNow()
		defer client.CloseNow()
		defer within(t, time.Minute, server)()
		go each(server, context.Background(), func(m conn.Message) error {
			return server.Write(context.Background(), m.Type, m.Payload)
		})
		for _, size := range []int{0, 1, 125, 126, 200, 5000} {
			want := []byte(fmt.Sprintf("%0*d", size, 0)[:size])
			wantNoError(t, client.Write(context.Background(), conn.Text, want))
			if _, got, err := client.Read(context.Background()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d octets: got %q, %v", size, got, err)
			}
		}
	})
}

// Octets that came behind the handshake are the first to be read.
func TestBuffered(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		octets := wire(role, shapes[0], []string{"one", "two", "three"})
		for cut := range len(octets) {
			a, b := pipePair(t)
			c := must(conn.New(&handshake.Result{Conn: a, Buffered: bytes.Clone(octets[:cut])}, role, nil))
			go b.Write(octets[cut:])
			for _, want := range []string{"one", "two", "three"} {
				if _, got, err := c.Read(context.Background()); err != nil || string(got) != want {
					t.Fatalf("cut at %d: got %q, %v; want %q", cut, got, err, want)
				}
			}
			c.CloseNow()
		}
	})
}

// A view that outlives its callback shows that it does: tests poison what is
// released.
func TestViewsEnd(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		var kept []byte
		failed := make(chan error, 1)
		go func() {
			failed <- each(b.c, context.Background(), func(m conn.Message) error {
				kept = m.Payload
				return nil
			})
		}()
		b.p.Send(wstest.Text("a view"))
		synctest.Wait()
		if string(kept) == "a view" {
			b.Error("the buffer was not poisoned")
		}
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// What Read returns is the caller's for good.
func TestReadGivesAway(t *testing.T) {
	for _, s := range shapes {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Deflate: deflate})
			var kept [][]byte
			for i := range 20 {
				p.Send(s.frames(numberedText(i, 1000*i+10))...)
				_, got, err := c.Read(context.Background())
				wantNoError(t, err)
				kept = append(kept, got)
			}
			for i, got := range kept {
				if string(got) != numberedText(i, 1000*i+10) {
					t.Errorf("%s: message %d has changed", s.name, i)
				}
			}
		})
	}
}

// A Reader tells of the end with the first read that asks for a byte after the
// last, and of nothing to one that asks for none. Once it has told of the end, it says
// nothing else.
func TestReaderEnds(t *testing.T) {
	for _, text := range []string{"", "abc"} {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			c, p := wstest.PipePeer(t, role, nil)
			for _, first := range []bool{false, true} { // of all, one that asks for no more than there is
				p.Send(wstest.Text(text))
				_, r, err := c.Reader(context.Background())
				wantNoError(t, err)
				got := make([]byte, len(text))
				if first || text != "" {
					if n, err := r.Read(got); n != len(text) || err != nil || string(got) != text {
						t.Errorf("%q: Read = %d, %v", text, n, err)
					}
				}
				for range 2 {
					if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("%q: Read after the end = %d, %v", text, n, err)
					}
				}
				if n, err := r.Read(nil); n != 0 || err != io.EOF {
					t.Errorf("%q: empty Read after the end = %d, %v", text, n, err)
				}
			}
		})
	}
}

// Another read discards what a Reader has left of its message.
func TestReaderLeft(t *testing.T) {
	for _, s := range shapes {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			allWays(t, func(t *testing.T, w way) {
				c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Deflate: deflate})
				p.Send(s.frames("the first message")...)
				p.Send(s.frames("the second message")...)
				_, r, err := c.Reader(context.Background())
				wantNoError(t, err)
				first := make([]byte, 3)
				if _, err := io.ReadFull(r, first); err != nil || string(first) != "the" {
					t.Fatalf("got %q, %v", first, err)
				}
				if _, got, err := w.read(c); err != nil || string(got) != "the second message" {
					t.Errorf("got %q, %v", got, err)
				}
				if n, err := r.Read(first); n != 0 || err == nil || err == io.EOF {
					t.Errorf("Read of a message that is discarded = %d, %v", n, err)
				}
			})
		})
	}
}

// Reads of several goroutines take turns: each message is read once.
func TestReadTurns(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		const count = 100
		got := make(chan string, count)
		for range count {
			go func() {
				_, p, err := b.c.Read(context.Background())
				got <- fmt.Sprint(string(p), err)
			}()
		}
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _, err := b.c.Read(short) // waits for its turn
		wantError(b.T, err, context.DeadlineExceeded)
		b.at(time.Second)
		for i := range count {
			b.p.Send(wstest.Text(fmt.Sprint("message ", i, " ")))
		}
		seen := make(map[string]bool)
		for range count {
			seen[<-got] = true
		}
		for i := range count {
			if !seen[fmt.Sprint("message ", i, " <nil>")] {
				b.Errorf("message %d is missing", i)
			}
		}
	})
}

// An asked ctx has something happen when it is asked for its error first.
type asked struct {
	context.Context
	first *sync.Once
	f     func()
}

func (a asked) Err() error {
	a.first.Do(a.f)
	return a.Context.Err()
}

// A read that finds out that the connection has ended when it has just got its turn gives the turn
// up: what is left to do for the stream waits for it.
func TestTurnAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(conn.New(&handshake.Result{Conn: pondering{ours}}, conn.RoleServer, nil))
		defer c.CloseNow()
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		var closed <-chan error
		_, _, err := c.Read(asked{context.Background(), new(sync.Once), func() {
			closed = startClose(c)
			synctest.Wait() // until its Close frame is being written
		}})
		wantClosedHere(t, err)
		p.WantClose(frame.StatusNormalClosure)
		p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		wantNoError(t, <-closed)
	})
}
