package conn_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// startClose closes c and hands over what Close returns.
func startClose(c *conn.Conn) <-chan error {
	closed := make(chan error, 1)
	go func() { closed <- c.Close(frame.StatusNormalClosure, "bye") }()
	return closed
}

// Close sends a Close frame and waits for the peer's, whether somebody reads or
// not. The stream ends after it in the way of the role: a server half-closes at
// once and waits a second for the client to close, a client waits for the server
// for what is left of its 5 s.
func TestClose(t *testing.T) {
	for _, reads := range []bool{false, true} {
		inBubbles(t, conn.Limits{}, func(b *bubble) {
			var failed <-chan error
			if reads {
				failed = reading(b.c)
				synctest.Wait()
			}
			closed := startClose(b.c)
			if reason := b.p.WantClose(frame.StatusNormalClosure); reason != "bye" {
				b.Errorf("reason %q", reason)
			}
			b.sleep(3 * time.Second)
			b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
			if b.role == conn.RoleServer {
				b.p.WantEOF()
				b.at(3 * time.Second)
			}
			if err := <-closed; err != nil {
				b.Errorf("Close = %v", err)
			}
			b.at(3 * time.Second)
			if reads {
				wantClosedHere(b.T, <-failed)
			}
			<-b.c.Done()
			if b.role == conn.RoleServer {
				b.at(4 * time.Second)
			} else {
				b.at(5 * time.Second)
			}
			b.wantOver()
		})
	}
}

// wantOver fails the test unless every call says that we have closed.
func (b *bubble) wantOver() {
	b.Helper()
	ctx := context.Background()
	_, _, err := b.c.Read(ctx)
	wantClosedHere(b.T, err)
	wantClosedHere(b.T, b.c.Write(ctx, conn.Text, nil))
	wantClosedHere(b.T, b.c.Send(conn.NewPrepared(conn.Text, nil)))
	wantClosedHere(b.T, b.c.Ping(ctx))
	wantClosedHere(b.T, b.c.Close(frame.StatusNormalClosure, ""))
	wantClosedHere(b.T, b.c.CloseNow())
}

// The peer that ends the stream at once is not waited for.
func TestCloseThenEOF(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		closed := startClose(b.c)
		b.p.WantClose(frame.StatusNormalClosure)
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		b.p.CloseWrite()
		if err := <-closed; err != nil {
			b.Errorf("Close = %v", err)
		}
		b.p.WantEOF()
		b.at(0)
		b.wantOver()
	})
}

// A peer that does not answer is cut after 5 s, or what the limit says.
func TestCloseSilentPeer(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Minute: time.Minute} {
		inBubbles(t, conn.Limits{CloseTimeout: set, PingInterval: -1}, func(b *bubble) {
			err := b.c.Close(frame.StatusNormalClosure, "")
			b.at(want)
			if err == nil || errors.Is(err, io.EOF) {
				b.Errorf("Close = %v, want an error", err)
			}
			b.p.WantClose(frame.StatusNormalClosure)
			b.p.WantEOF()
			b.wantOver()
		})
	}
}

// A peer that floods instead of answering is cut at the same time, and nothing
// of it is delivered.
func TestCloseFloodingPeer(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := make(chan error, 1)
		go func() {
			failed <- each(b.c, context.Background(), func(m conn.Message) error {
				b.Errorf("%d octets were delivered after Close", len(m.Payload))
				return nil
			})
		}()
		synctest.Wait()
		closed := startClose(b.c)
		b.p.WantClose(frame.StatusNormalClosure)
		flood := b.octets(wstest.Binary(make([]byte, 100_000)))
		var flooding sync.WaitGroup
		flooding.Go(func() {
			for err := error(nil); err == nil; _, err = b.p.NetConn().Write(flood) {
				b.sleep(10 * time.Millisecond)
			}
		})
		if err := <-closed; err == nil {
			b.Error("Close = nil, want an error")
		}
		wantClosedHere(b.T, <-failed)
		b.at(5 * time.Second)
		flooding.Wait()
	})
}

// What a peer sends behind its Close frame is never delivered; ours repeats
// its code.
func TestPeerCloses(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		b.p.Send(wstest.Text("a"), wstest.Close(3000, "why"), wstest.Text("b"), wstest.Close(3001, ""))
		var got []string
		err := each(b.c, context.Background(), func(m conn.Message) error {
			got = append(got, string(m.Payload))
			return nil
		})
		wantClosed(b.T, err, 3000)
		if e, _ := errors.AsType[*conn.CloseError](err); e.Reason != "why" {
			b.Errorf("reason %q", e.Reason)
		}
		if len(got) != 1 || got[0] != "a" {
			b.Errorf("got %q", got)
		}
		b.p.WantClose(3000)
		wantClosed(b.T, b.c.Write(context.Background(), conn.Text, nil), 3000)
		wantClosedHere(b.T, b.c.Close(frame.StatusNormalClosure, ""))
	})
}

// The stream ends in the way of the role when the peer closes, too.
func TestPeerClosesAndStays(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		b.p.Send(wstest.Close(frame.StatusNoStatus, ""))
		b.p.WantClose(frame.StatusNoStatus)
		if b.role == conn.RoleServer {
			b.p.WantEOF()
			b.at(0)
		}
		wantClosed(b.T, <-failed, frame.StatusNoStatus)
		b.at(0)
		<-b.c.Done()
		if b.role == conn.RoleServer {
			b.at(time.Second)
		} else {
			b.at(5 * time.Second)
		}
	})
}

// A stream that ends without a Close frame is no normal end.
func TestPeerGone(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		failed := reading(b.c)
		b.p.Close()
		wantError(b.T, <-failed, io.ErrUnexpectedEOF)
		b.at(0)
		wantError(b.T, b.c.Write(context.Background(), conn.Text, nil), io.ErrUnexpectedEOF)
	})
}

// Two Close frames that cross are the whole handshake.
func TestCloseBothAtOnce(t *testing.T) {
	allStreams(t, func(t *testing.T, s stream) {
		server, client := s.conns(t, nil)
		a, b := startClose(server), startClose(client)
		if err := errors.Join(<-a, <-b); err != nil {
			t.Error(err)
		}
	})
}

// Close and CloseNow may be called from many goroutines: one Close alone closes.
func TestCloseMany(t *testing.T) {
	allStreams(t, func(t *testing.T, s stream) {
		server, client := s.conns(t, nil)
		failed := reading(client)
		var calls sync.WaitGroup
		var mu sync.Mutex
		nils := 0
		for range 16 {
			calls.Go(func() {
				if err := server.Close(frame.StatusNormalClosure, ""); err == nil {
					mu.Lock()
					nils++
					mu.Unlock()
				} else {
					wantClosedHere(t, err)
				}
			})
		}
		calls.Wait()
		if nils != 1 {
			t.Errorf("%d calls returned nil, want 1", nils)
		}
		wantClosed(t, <-failed, frame.StatusNormalClosure)
		for range 16 {
			calls.Go(func() { server.CloseNow() })
		}
		calls.Wait()
	})
}

// Close goes through a write that blocks: in front of it nothing new is
// accepted, and it comes behind what was.
func TestCloseDuringWrite(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		message := make([]byte, 300_000)
		wrote := make(chan error, 1)
		go func() { wrote <- b.c.Write(context.Background(), conn.Binary, message) }()
		synctest.Wait()
		closed := startClose(b.c)
		synctest.Wait()
		b.p.WantMessage(frame.Binary, message)
		b.p.WantClose(frame.StatusNormalClosure)
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		b.p.CloseWrite()
		if err := errors.Join(<-wrote, <-closed); err != nil {
			b.Error(err)
		}
		b.at(0)
	})
}

// A write that blocks does not keep Close for longer than its timeout.
func TestCloseStalledWrite(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		wrote := make(chan error, 1)
		go func() { wrote <- b.c.Write(context.Background(), conn.Binary, make([]byte, 1<<20)) }()
		synctest.Wait()
		if err := <-startClose(b.c); err == nil {
			b.Error("Close = nil")
		}
		if err := <-wrote; err == nil {
			b.Error("Write = nil")
		}
		if d := time.Since(b.start); d > 25*time.Second { // WriteTimeout may pass twice
			b.Errorf("it took %v", d)
		}
	})
}

// A callback of Each may close; the handshake is done when it returns.
func TestCloseInCallback(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		b.p.Send(wstest.Text("a"), wstest.Text("b"))
		failed := make(chan error, 1)
		go func() {
			failed <- each(b.c, context.Background(), func(m conn.Message) error {
				if string(m.Payload) != "a" {
					b.Errorf("%q was delivered after Close", m.Payload)
				}
				return b.c.Close(frame.StatusGoingAway, "")
			})
		}()
		b.p.WantClose(frame.StatusGoingAway)
		b.p.Send(wstest.Close(frame.StatusGoingAway, ""))
		b.p.CloseWrite()
		wantClosedHere(b.T, <-failed)
		b.at(0)
	})
}

// Codes that never go over the wire are refused, and nothing happens.
func TestCloseCodes(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		for _, code := range []frame.StatusCode{0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535} {
			if err := b.c.Close(code, ""); err == nil {
				b.Errorf("Close(%d) = nil", code)
			}
		}
		b.p.WantSilence(time.Second)
		if err := b.c.Write(context.Background(), conn.Text, []byte("alive")); err != nil {
			b.Error(err)
		}
	})
}

// A message of 16 MiB is refused with 1009, and a peer that reads only when it
// has sent all of it sees that: no reset overtakes the Close frame.
func TestRefusalArrives(t *testing.T) {
	allStreams(t, func(t *testing.T, s stream) {
		a, b := s.make(t)
		server := must(conn.New(&handshake.Result{Conn: a}, conn.RoleServer, limits(conn.Limits{CloseTimeout: time.Minute})))
		defer server.CloseNow()
		failed := reading(server)
		p := wstest.NewPeer(t, b, conn.RoleClient)
		p.Send(wstest.Binary(make([]byte, 16<<20)))
		p.WantClose(frame.StatusMessageTooBig)
		p.WantEOF()
		p.Close()
		wantCode(t, <-failed, frame.StatusMessageTooBig)
	})
}

// A server that has refused a message discards the rest of it as long as it
// comes, for CloseTimeout at most, and waits for a second of silence.
func TestRefusalDrains(t *testing.T) {
	for pieces, want := range map[int]time.Duration{0: time.Second, 2: 2800 * time.Millisecond, 100: 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c, p := wstest.PipePeer(t, conn.RoleServer, nil)
			failed := reading(c)
			start := time.Now()
			p.SendAsIs(begin(conn.RoleServer, 1<<30))
			var sending sync.WaitGroup
			sending.Go(func() {
				for range pieces {
					<-time.After(900 * time.Millisecond)
					if _, err := p.NetConn().Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			})
			p.WantClose(frame.StatusMessageTooBig)
			p.WantEOF()
			wantCode(t, <-failed, frame.StatusMessageTooBig)
			<-c.Done()
			if d := time.Since(start); d != want {
				t.Errorf("%d pieces: over after %v, want %v", pieces, d, want)
			}
			sending.Wait()
		})
	}
}

// halfClosing is a tried stream of which one direction can be ended.
type halfClosing struct{ tried }

func (h halfClosing) CloseWrite() error {
	return h.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// A server whose message and Close frame are still on their way when the peer's
// Close frame comes ends the stream after them, not before.
func TestCloseAnsweredBeforeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		s := &reluctant{Conn: a, may: make(chan struct{})}
		c := must(conn.New(&handshake.Result{Conn: halfClosing{tried{s}}}, conn.RoleServer, nil))
		p := wstest.NewPeer(t, b, conn.RoleClient)
		wantNoError(t, c.Write(context.Background(), conn.Text, []byte("before")))
		ended := startClose(c)
		synctest.Wait()
		p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		wantNoError(t, <-ended)
		synctest.Wait()
		close(s.may)
		p.Want(wstest.Text("before"), wstest.Close(frame.StatusNormalClosure, "bye"))
		if f, err := p.Next(); err != io.EOF {
			t.Errorf("got %v, %v; want the end of the stream", f, err)
		}
		p.Close()
		<-c.Done()
	})
}
