package conn_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// A Writer whose ctx ends when a part of its message is out can't complete it,
// which ends the connection. The ctx is its caller's affair alone: all others
// get a cause that says what happened.

// abandon writes with a Writer until its ctx ends, after d, because the peer
// does not read.
func (l *link) abandon(d time.Duration) {
	l.Helper()
	p := noise(100_000)
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	w, err := l.c.Writer(ctx, conn.Binary)
	if err != nil {
		l.Fatal(err)
	}
	for range 1000 {
		if err = write(w, p); err != nil {
			break
		}
	}
	wantError(l.T, err, context.DeadlineExceeded)
	l.atWithGrace(d)
	wantError(l.T, w.Close(), context.DeadlineExceeded)
}

// All other callers, those that wait and those that come later, are told the
// same cause at once, and it is nobody's ctx.
func TestAbandonedWriterIsNobodysContext(t *testing.T) {
	overCases(t, cases(streamKinds, nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		waiting := map[string]<-chan error{}
		for _, c := range calls[:3] {
			waiting[c.name] = call(func() error { return c.call(context.Background(), l.c) })
		}
		l.settle()
		waiting["Write"] = call(func() error {
			if _, err := l.p.NetConn().Read(make([]byte, 1)); err != nil { // the first fragment has begun
				return err
			}
			return l.c.Write(context.Background(), conn.Text, []byte("waits"))
		})
		l.abandon(time.Second)
		want := ""
		for name, failed := range waiting {
			err := await(l, name, failed)
			if err == nil || isContextError(err) {
				l.Errorf("%s = %v, want a cause of its own", name, err)
			}
			want = cause(err)
		}
		l.atWithGrace(time.Second)
		l.wantAllSay(want)
	})
}

// The peer sees the fragments that are out, a Close frame that says that
// something went wrong, and then the end.
func TestAbandonedWriterTellsThePeer(t *testing.T) {
	overCases(t, cases(streamKinds, nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		l.abandon(time.Second)
		for first := true; ; first = false {
			f, err := l.p.Next()
			if err != nil {
				l.Fatalf("got %v, want fragments and a Close frame", err)
			}
			if f.Header.Opcode == frame.Close {
				code, _, err := frame.ParseClose(f.Payload)
				if err != nil || code == frame.StatusNormalClosure {
					l.Errorf("got %v, want the code of an error", f)
				}
				break
			}
			if f.Header.Fin || (f.Header.Opcode == frame.Binary) != first {
				l.Fatalf("got %v, want a fragment that is not the last", f)
			}
		}
		if f, err := l.p.Next(); err == nil {
			l.Errorf("%v comes after the Close frame", f)
		} else if !errors.Is(err, io.EOF) {
			l.Errorf("got %v, want EOF", err)
		}
	})
}

// A message that is compressed goes out as one frame: its Writer gets the error
// of its ctx, the frame goes on, and the connection lives.
func TestAbandonedWriterOfCompressed(t *testing.T) {
	overCases(t, cases(inMemory(), deflate), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		w, err := l.c.Writer(ctx, conn.Binary)
		if err != nil {
			l.Fatal(err)
		}
		message := noise(300_000)
		wantNoError(t, write(w, message))
		wantError(t, w.Close(), context.DeadlineExceeded)
		l.at(time.Second)
		l.p.WantMessage(frame.Binary, message)
		wantNoError(t, l.c.Write(context.Background(), conn.Text, []byte("alive")))
		l.p.WantMessage(frame.Text, []byte("alive"))
	})
}

// A Writer whose ctx has ended before a byte of it was sent costs nobody
// anything, and neither does one that is closed by then.
func TestAbandonedWriterUnsent(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		for size := range 3 {
			ctx, cancel := context.WithCancel(context.Background())
			w, err := l.c.Writer(ctx, conn.Binary)
			if err != nil {
				l.Fatal(err)
			}
			wantNoError(t, write(w, noise(size*10_000)))
			cancel()
			wantError(t, w.Close(), context.Canceled)
		}
		wantNoError(t, l.c.Write(context.Background(), conn.Text, []byte("alive")))
		l.p.WantMessage(frame.Text, []byte("alive"))
	})
}

// A Prepared, a Write and a Send that are under way when a Writer is abandoned
// leave whole frames.
func TestAbandonedWriterLeavesWholeFrames(t *testing.T) {
	overCases(t, cases(inMemory(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, limits(conn.Limits{QueueBytes: -1}), 4<<10)
		wantNoError(t, l.c.Send(conn.NewPrepared(conn.Binary, noise(50_000))))
		time.AfterFunc(500*time.Millisecond, func() { l.c.Send(conn.NewPrepared(conn.Text, noise(50_000))) })
		l.abandon(time.Second)
		for {
			f, err := l.p.Next()
			if err != nil {
				l.Fatalf("got %v, want frames up to a Close frame", err)
			}
			if f.Header.Opcode == frame.Close {
				break
			}
			if f.Header.Opcode == frame.Text {
				l.Fatalf("%v comes inside a message", f)
			}
		}
		l.p.WantEOF()
	})
}

// A message that is compressed is one frame, however long it is and however it is written.
func TestWriterOfCompressed(t *testing.T) {
	overCases(t, cases(inMemory(), deflate), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 1<<20)
		w := must(l.c.Writer(t.Context(), conn.Binary))
		for range 3 {
			wantNoError(t, write(w, make([]byte, 100_000)))
		}
		wantNoError(t, w.Close())
		if f, err := l.p.Next(); err != nil || !f.Header.Fin || !f.Header.Rsv1 {
			l.Errorf("got %v, %v; want a compressed message", f, err)
		}
	})
}

// A Writer that has failed before a byte of it was sent sends nothing when it is closed, though
// there is room by then.
func TestFailedWriterSendsNothing(t *testing.T) {
	overCases(t, cases(inMemory(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		first := noise(300_000)
		wrote := call(func() error { return l.c.Write(context.Background(), conn.Binary, first) })
		l.settle()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := must(l.c.Writer(ctx, conn.Binary))
		wantError(t, write(w, noise(70_000)), context.DeadlineExceeded)
		l.p.WantMessage(frame.Binary, first)
		wantNoError(t, <-wrote)
		wantError(t, w.Close(), context.DeadlineExceeded)
		wantNoError(t, l.c.Write(t.Context(), conn.Text, []byte("alive")))
		l.p.WantMessage(frame.Text, []byte("alive"))
	})
}
