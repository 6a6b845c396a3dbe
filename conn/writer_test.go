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

// Until its first fragment is out a Writer lets other messages overtake it,
// then they wait for its Close; control frames come between.
func TestWriterTurns(t *testing.T) {
	ctx := context.Background()
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		w, err := b.c.Writer(ctx, conn.Binary)
		if err != nil {
			b.Fatal(err)
		}
		part := bytes.Repeat([]byte("0123456789abcdef"), 4<<10) // a fragment
		wantNoError(b.T, write(w, part))
		wantNoError(b.T, b.c.Write(ctx, conn.Text, []byte("overtakes")))
		b.p.Want(wstest.Text("overtakes"))

		wantNoError(b.T, write(w, part[:1]))
		b.p.Want(wstest.Binary(part).More())
		wantNoError(b.T, b.c.Send(conn.NewPrepared(conn.Text, []byte("sent"))))
		wrote := make(chan error, 2)
		go func() { wrote <- b.c.Write(ctx, conn.Text, []byte("waits")) }()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wantError(b.T, b.c.Write(short, conn.Text, []byte("never sent")), context.DeadlineExceeded)
		b.p.Send(wstest.Ping("between"))
		b.p.Want(wstest.Pong("between"))
		b.p.WantSilence(time.Second)

		wantNoError(b.T, w.Close())
		b.p.Want(wstest.Cont(string(part[:1])), wstest.Text("sent"), wstest.Text("waits"))
		wantNoError(b.T, <-wrote)
		if w.Close() == nil || write(w, part) == nil {
			b.Error("a Writer that is closed goes on")
		}
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// write is w.Write without the count.
func write(w interface{ Write([]byte) (int, error) }, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n != len(p) {
		err = errors.New("short write")
	}
	return err
}

// A message half of which is out can't be completed once its ctx has ended:
// the connection is cut.
func TestWriterCancelled(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		ctx, cancel := context.WithCancel(context.Background())
		w, err := b.c.Writer(ctx, conn.Binary)
		if err != nil {
			b.Fatal(err)
		}
		wantNoError(b.T, write(w, make([]byte, 100)))
		cancel()
		wantError(b.T, w.Close(), context.Canceled)
		wantNoError(b.T, b.c.Write(context.Background(), conn.Text, []byte("alive")))
		b.p.Want(wstest.Text("alive"))
	})
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		w, err := b.c.Writer(ctx, conn.Binary)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			err = write(w, make([]byte, 100_000))
		}
		wantError(b.T, err, context.DeadlineExceeded)
		b.at(time.Second)
		if b.c.Write(context.Background(), conn.Text, nil) == nil {
			b.Error("the connection lives with half a message out")
		}
	})
}

// A Writer of a connection that has ended is refused.
func TestWriterEnded(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		b.c.CloseNow()
		_, err := b.c.Writer(context.Background(), conn.Text)
		wantError(b.T, err, net.ErrClosed)
	})
}

// A caller's octets are neither modified nor kept.
func TestWriteKeepsNothing(t *testing.T) {
	for _, size := range []int{10, 5000, 300_000} {
		inBubblesWith(t, &conn.Options{Limits: conn.Limits{Message: -1}}, 1<<10, func(b *bubble) {
			want := bytes.Repeat([]byte("octet"), size/5)
			p := bytes.Clone(want)
			wrote := make(chan error, 1)
			go func() {
				err := b.c.Write(context.Background(), conn.Binary, p)
				if !bytes.Equal(p, want) {
					b.Error("Write modified its argument")
				}
				clear(p)
				wrote <- err
			}()
			synctest.Wait()
			b.p.WantMessage(frame.Binary, want)
			wantNoError(b.T, <-wrote)
		})
	}
}

// A Writer whose fragment fails takes nothing that comes after it, and says so.
func TestWriterCountsUpToFailure(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		c := must(conn.New(&handshake.Result{Conn: unheard{ours}}, role, nil))
		defer c.CloseNow()
		w := must(c.Writer(t.Context(), conn.Binary))
		const fragment = 64 << 10
		n, err := w.Write(make([]byte, fragment+100))
		wantError(t, err, errUnheard)
		if n != fragment {
			t.Errorf("%d bytes are taken, want %d", n, fragment)
		}
	})
}

// A Writer that has failed says why each time.
func TestWriterSaysWhyAgain(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		w, err := b.c.Writer(b.Context(), conn.Text)
		if err != nil {
			b.Fatal(err)
		}
		b.c.CloseNow()
		for range 2 {
			wantClosedHere(b.T, w.Close())
			wantClosedHere(b.T, write(w, []byte("x")))
		}
	})
}
