package conn_test

import (
	"context"
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

// What was written before the peer's Close frame goes out, and our Close frame
// with it, to a peer that is slow but makes progress.
func TestSlowEnd(t *testing.T) {
	allOdds(t, nil, 1<<10, nil, func(b *bubble) {
		answer := make([]byte, 20<<10)
		got := make(chan error, 1)
		go func() {
			got <- each(b.c, context.Background(), func(m conn.Message) error {
				go b.c.Write(context.Background(), conn.Binary, answer)
				return nil
			})
		}()
		b.p.Send(wstest.Text("ask"))
		synctest.Wait()
		b.p.Send(wstest.Close(frame.StatusNormalClosure, ""))
		wantClosed(b.T, <-got, frame.StatusNormalClosure)
		// 4 KiB a second
		var all []byte
		for piece := make([]byte, 1<<10); ; {
			b.sleep(250 * time.Millisecond)
			b.p.NetConn().SetReadDeadline(time.Now().Add(time.Minute))
			n, err := b.p.NetConn().Read(piece)
			all = append(all, piece[:n]...)
			if err != nil {
				break
			}
			if len(all) > len(answer) && b.role == conn.RoleClient {
				b.p.CloseWrite()
			}
		}
		h, n, err := frame.Parse(all)
		if err != nil || n == 0 || int64(len(all)-n) < h.Length {
			b.Fatalf("%d bytes came, header %+v", len(all), h)
		}
		if h, _, _ = frame.Parse(all[n+int(h.Length):]); h.Opcode != frame.Close {
			b.Errorf("the Close frame did not come: %d bytes", len(all))
		}
	})
}

// A stubborn stream goes on with a write after it was closed, until it is let go.
type stubborn struct {
	net.Conn
	gone chan struct{}
}

func (s stubborn) Write([]byte) (int, error) {
	<-s.gone
	return 0, net.ErrClosed
}

// What is done in the background ends when the time runs out, though a write is still under way,
// and nothing is left when that fails.
func TestEndDuringStubbornWrite(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			s := stubborn{ours, make(chan struct{})}
			c := must(conn.New(&handshake.Result{Conn: s}, role, limits(conn.Limits{WriteTimeout: -1})))
			start := time.Now()
			wrote := call(func() error { return c.Write(context.Background(), conn.Text, []byte("never")) })
			synctest.Wait()
			for p := conn.NewPrepared(conn.Binary, make([]byte, 100<<10)); c.Send(p) == nil; {
			}
			theirs.Close()
			<-c.Done()
			if d := time.Since(start); d != 5*time.Second {
				t.Errorf("over after %v, want the 5 s of CloseTimeout", d)
			}
			synctest.Wait()
			close(s.gone)
			wantError(t, <-wrote, conn.ErrQueueFull)
		})
	})
}

// A slowToClose stream takes a second to close.
type slowToClose struct {
	net.Conn
	closed *atomic.Bool
}

func (l slowToClose) Close() error {
	time.Sleep(time.Second)
	defer l.closed.Store(true)
	return l.Conn.Close()
}

// Done tells that the stream is closed, not only that it is about to be, whoever closes it.
func TestDoneAfterStreamClosed(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		for name, end := range map[string]func(c *conn.Conn, peer net.Conn){
			"CloseNow":    func(c *conn.Conn, _ net.Conn) { go c.CloseNow() },
			"Close":       func(c *conn.Conn, _ net.Conn) { go c.Close(frame.StatusNormalClosure, "") },
			"a read ends": func(c *conn.Conn, peer net.Conn) { peer.Close(); go c.Read(context.Background()) },
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := pipe.New()
					defer theirs.Close()
					l := slowToClose{ours, new(atomic.Bool)}
					c := must(conn.New(&handshake.Result{Conn: l}, role, nil))
					end(c, theirs)
					if <-c.Done(); !l.closed.Load() {
						t.Error("done before the stream was closed")
					}
				})
			})
		}
	})
}

// A panickyClose is a stream whose Close panics.
type panickyClose struct{ net.Conn }

func (p panickyClose) Close() error {
	p.Conn.Close()
	panic("Close")
}

// A stuckClose is a stream whose writes fail, and whose Close takes a minute.
type stuckClose struct{ net.Conn }

func (stuckClose) Write([]byte) (int, error) { return 0, net.ErrClosed }

func (s stuckClose) Close() error {
	time.Sleep(time.Minute)
	return s.Conn.Close()
}

// Who waits for Done waits for CloseTimeout at most, whatever the stream's Close does.
func TestDoneThoughCloseFails(t *testing.T) {
	for name, tt := range map[string]struct {
		stream func(net.Conn) net.Conn
		after  time.Duration
	}{
		"panics": {func(nc net.Conn) net.Conn { return panickyClose{nc} }, 0},
		"stuck":  {func(nc net.Conn) net.Conn { return stuckClose{nc} }, 5 * time.Second},
	} {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := pipe.New()
				defer theirs.Close()
				c := must(conn.New(&handshake.Result{Conn: tt.stream(ours)}, role, nil))
				start := time.Now()
				returned := make(chan struct{})
				go func() {
					defer close(returned)
					defer func() {
						if panicked := recover() != nil; panicked != (name == "panics") {
							t.Errorf("%s: CloseNow has panicked: %t", name, panicked)
						}
					}()
					c.CloseNow()
				}()
				<-c.Done()
				if d := time.Since(start); d != tt.after {
					t.Errorf("%s: done after %v, want %v", name, d, tt.after)
				}
				<-returned
			})
		})
	}
}

// A Read that waits for its turn returns when the connection is cut, also after a write has failed,
// and though the stream's Close takes its time.
func TestCutReadThoughCloseIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		c := must(conn.New(&handshake.Result{Conn: stuckClose{ours}}, conn.RoleClient, nil))
		hold := make(chan struct{})
		go c.Each(context.Background(), func(conn.Message) error { <-hold; return nil })
		theirs.Write(frame.Header{Fin: true, Opcode: frame.Text}.Append(nil))
		synctest.Wait()
		if err := c.Write(context.Background(), conn.Text, []byte("x")); err == nil {
			t.Fatal("written")
		}
		read := make(chan error, 1)
		go func() {
			_, _, err := c.Read(context.Background())
			read <- err
		}()
		synctest.Wait()
		start := time.Now()
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			c.CloseNow()
		}()
		if err := <-read; err == nil || time.Since(start) > 0 {
			t.Errorf("Read returns %v after %v", err, time.Since(start))
		}
		close(hold)
		<-returned
	})
}
