package conn_test

import (
	"bytes"
	"context"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A Write that has returned nil has been written to the stream, whatever ctx it
// was given and whatever the stream is. The exceptions are those of its doc
// comment: another write was in flight, a stream that can be tried took no
// more, or the read that delivers messages has more of them at hand.

// writeWays are the ways to write a message.
var writeWays = []struct {
	name  string
	write func(ctx context.Context, c *conn.Conn, p []byte) error
}{
	{"Write", func(ctx context.Context, c *conn.Conn, p []byte) error { return c.Write(ctx, conn.Binary, p) }},
	{"WritePrepared", func(ctx context.Context, c *conn.Conn, p []byte) error {
		return c.WritePrepared(ctx, conn.NewPrepared(conn.Binary, p))
	}},
	{"Writer", func(ctx context.Context, c *conn.Conn, p []byte) error {
		w, err := c.Writer(ctx, conn.Binary)
		if err != nil {
			return err
		}
		if err := write(w, p); err != nil {
			return err
		}
		return w.Close()
	}},
}

// overWrites runs f for each way to write over each case.
func overWrites(t *testing.T, cases []streamCase, f func(l *link, write func(ctx context.Context, p []byte) error), o *conn.Options, size int) {
	for _, w := range writeWays {
		t.Run(w.name, func(t *testing.T) {
			overCases(t, cases, func(t *testing.T, s streamCase) {
				l := s.link(t, o, size)
				f(l, func(ctx context.Context, p []byte) error { return w.write(ctx, l.c, p) })
			})
		})
	}
}

// untried are the kinds of streams in memory that can't be tried.
func untried() []streamKind {
	return kindsThat(func(k streamKind) bool { return k.memory && !k.tried })
}

// contexts are the kinds of ctx that a caller may have.
var contexts = map[string]func() (context.Context, context.CancelFunc){
	"ctx that can't end": func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
	"ctx that can end":   func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) },
	"ctx with a deadline": func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), time.Hour)
	},
}

// Whoever is alone has handed the message to the stream when the call returns.
func TestWrittenWhenItReturns(t *testing.T) {
	for name, newContext := range contexts {
		t.Run(name, func(t *testing.T) {
			overWrites(t, cases(inMemory(), nil, deflate), func(l *link, write func(context.Context, []byte) error) {
				ctx, cancel := newContext()
				defer cancel()
				for _, size := range []int{0, 1, 100, 5000, 70_000, 300_000} {
					before := l.tap.written()
					wantNoError(l.T, write(ctx, noise(size)))
					if after := l.tap.written(); after-before < size+2 {
						l.Errorf("%d of %d bytes are with the stream when the call returns", after-before, size+2)
					}
					l.settle()
				}
				l.at(0)
			}, nil, 0)
		})
	}
}

// So it is in a callback of Each that has no more messages at hand, and beside
// a read that waits.
func TestWrittenWhenItReturnsInCallback(t *testing.T) {
	overWrites(t, cases(inMemory(), nil, deflate), func(l *link, write func(context.Context, []byte) error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		answer := noise(1000)
		failed := call(func() error {
			return each(l.c, ctx, func(conn.Message) error {
				before := l.tap.written()
				err := write(ctx, answer)
				if after := l.tap.written(); after-before < 1000 {
					l.Errorf("%d of 1000 bytes are with the stream when the call returns", after-before)
				}
				return err
			})
		})
		for range 3 {
			l.p.Send(l.text("question"))
			l.p.WantMessage(frame.Binary, answer)
			l.settle()
		}
		before := l.tap.written()
		wantNoError(l.T, write(ctx, noise(1000)))
		if after := l.tap.written(); after-before < 1000 {
			l.Errorf("%d of 1000 bytes are with the stream when the call returns beside a read", after-before)
		}
		cancel()
		if err := await(l, "Each", failed); !isContextError(err) {
			l.Errorf("Each = %v", err)
		}
	}, nil, 0)
}

// The error of the stream is that of the call, and not of a later one.
func TestWriteErrorIsReturned(t *testing.T) {
	for name, newContext := range contexts {
		t.Run(name, func(t *testing.T) {
			overWrites(t, cases(inMemory(), nil, deflate), func(l *link, write func(context.Context, []byte) error) {
				ctx, cancel := newContext()
				defer cancel()
				wantNoError(l.T, write(ctx, noise(100)))
				l.settle()
				l.tap.failWrites(syscall.EPIPE)
				wantError(l.T, write(ctx, noise(100)), syscall.EPIPE)
			}, nil, 0)
		})
	}
}

// A ctx ends the wait for a stream that can't be tried and takes no more. The
// message goes out whole when the peer reads at last.
func TestWriteWaitsForTheStream(t *testing.T) {
	overWrites(t, cases(untried(), nil, deflate), func(l *link, write func(context.Context, []byte) error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		message := noise(20_000)
		wantError(l.T, write(ctx, message), context.DeadlineExceeded)
		l.at(time.Second)
		l.p.WantMessage(frame.Binary, message)
		wantNoError(l.T, l.c.Write(context.Background(), conn.Text, []byte("alive")))
		l.p.WantMessage(frame.Text, []byte("alive"))
	}, nil, 4<<10)
}

// Writes that meet go out together: all of them, whole, and at once.
func TestWrittenWithOthers(t *testing.T) {
	plain := []streamCase{}
	for _, s := range cases(inMemory(), nil) {
		if s.role == conn.RoleServer && s.name != "tls in memory" { // the bytes are what is written
			plain = append(plain, s)
		}
	}
	overWrites(t, plain, func(l *link, write func(context.Context, []byte) error) {
		const writers, count = 4, 50
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				for range count {
					message := noise(100)
					if err := write(ctx, message); err != nil {
						l.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		l.settle()
		for range writers * count {
			if f, err := l.p.Next(); err != nil || len(f.Payload) != 100 {
				l.Fatalf("got %v, %v; want a message", f, err)
			}
		}
		l.at(0)
	}, nil, 0)
}

// A message that was not sent is not in the window that messages share with the peer: what is
// sent after it does not refer to it.
func TestUnsentIsNotInTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takeover := &handshake.Deflate{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
		a, b := pipe.NewSize(4 << 10)
		c := must(conn.New(&handshake.Result{Conn: a, Deflate: takeover}, conn.RoleServer, nil))
		peer := must(conn.New(&handshake.Result{Conn: b, Deflate: takeover}, conn.RoleClient, nil))
		defer peer.CloseNow()
		defer c.CloseNow()
		large, text := noise(300_000), noise(2000)
		wrote := call(func() error { return c.Write(context.Background(), conn.Binary, large) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, c.Write(ctx, conn.Binary, text), context.DeadlineExceeded)
		if got := must2(peer.Read(t.Context())); !bytes.Equal(got, large) {
			t.Errorf("got another message of %d bytes", len(got))
		}
		wantNoError(t, <-wrote)
		wantNoError(t, c.Write(t.Context(), conn.Binary, text))
		if got := must2(peer.Read(t.Context())); !bytes.Equal(got, text) {
			t.Errorf("got another message of %d bytes", len(got))
		}
	})
}
