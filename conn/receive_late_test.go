package conn_test

import (
	"errors"
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// onShells runs f in a bubble with the options of a connection of each shell: one that has
// a goroutine, and one that a loop serves.
func onShells(t *testing.T, f func(t *testing.T, o *conn.Options)) {
	t.Helper()
	for name, after := range map[string]int{"goroutine": -1, "loop": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, &conn.Options{Loop: &conn.Loop{After: after}}) })
		})
	}
}

// What has arrived before a write fails is delivered, also if it comes while the callback
// runs that writes, and nobody else runs in between, and if it is more than a worker of a loop
// reads in a turn.
func TestArrivedBeforeWriteFailureInReceive(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, messages := range map[string]int{"few": 3, "many": 300} {
		t.Run(name, func(t *testing.T) {
			onShells(t, func(t *testing.T, o *conn.Options) {
				c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{Server: o})
				got := 0
				ended := make(chan error)
				conn.Receive(c, func(conn.Message) error {
					if got++; got > 1 {
						return nil
					}
					for range messages - 1 {
						p.Send(wstest.Binary(make([]byte, 1000)))
					}
					p.Send(wstest.Close(4000, "bye"))
					p.Close()
					if err := c.Write(t.Context(), conn.Text, nil); !isWriteError(err) {
						t.Errorf("Write = %v, want what the stream said", err)
					}
					return nil
				}, func(err error) { ended <- err })
				synctest.Wait()
				p.Send(wstest.Text("first"))
				err := <-ended
				wantClosed(t, err, 4000)
				if got != messages {
					t.Errorf("%d messages were delivered, want %d", got, messages)
				}
				<-c.Done()
			})
		})
	}
}

// A sluggish stream takes a second to hand out what has come.
type sluggish struct{ *tap }

func (s sluggish) Read(p []byte) (int, error) {
	n, err := s.tap.Read(p)
	<-time.After(time.Second)
	return n, err
}

// What has arrived before a write fails is delivered, though the time of the connection runs out
// while the read that Each has begun meanwhile is under way.
func TestArrivedBeforeWriteFailureOnSluggishStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 5 * time.Second
		ours, theirs := pipe.New()
		s := sluggish{&tap{Conn: ours}}
		c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, limits(conn.Limits{CloseTimeout: timeout})))
		p := wstest.NewPeer(t, theirs, conn.RoleClient)
		p.Send(wstest.Text("first"))
		var got []string
		err := c.Each(t.Context(), func(m conn.Message) error {
			if got = append(got, string(m.Payload)); len(got) == 1 {
				p.Send(wstest.Text("second"))
				s.failWrites(syscall.EPIPE)
				wantError(t, c.Write(t.Context(), conn.Text, nil), syscall.EPIPE)
				<-time.After(timeout - time.Second/2)
			}
			return nil
		})
		wantError(t, err, syscall.EPIPE)
		if want := []string{"first", "second"}; !slices.Equal(got, want) {
			t.Errorf("%q were delivered, want %q", got, want)
		}
		<-c.Done()
	})
}

// An endless stream always has something to read, and takes nothing.
type endless struct {
	net.Conn
	frames []byte
	at     int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.frames[e.at:])
	e.at = (e.at + n) % len(e.frames)
	return n, nil
}

func (*endless) Write([]byte) (int, error) { return 0, errUnheard }

// After a failed write no more is read than can have arrived before.
func TestEndlessAfterWriteFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		defer b.Close()
		frames := wstest.Binary(make([]byte, 4<<10))
		frames.Header.Masked = true
		c := must(conn.New(&handshake.Result{Conn: &endless{Conn: a, frames: frames.Append(nil)}}, conn.RoleServer, nil))
		got := 0
		err := c.Each(t.Context(), func(m conn.Message) error {
			if got += len(m.Payload); got == len(m.Payload) {
				c.Write(t.Context(), conn.Text, nil)
			}
			if got > 64<<20 {
				t.Fatal("it never ends")
			}
			return nil
		})
		if !errors.Is(err, errUnheard) || got < 1<<20 || got > 10<<20 {
			t.Errorf("%d bytes, %v", got, err)
		}
	})
}

// A reset stream has frames to read, and fails all reads after them, which it counts. It takes
// nothing.
type reset struct {
	net.Conn
	frames []byte
	failed int
}

func (r *reset) Read(p []byte) (n int, err error) {
	if len(r.frames) == 0 {
		r.failed++
		return 0, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	n = copy(p, r.frames)
	r.frames = r.frames[n:]
	return n, nil
}

func (*reset) Write([]byte) (int, error) { return 0, errUnheard }

// After a failed write a read is tried again only if it has run into the time that it has: one that
// has failed for another reason is the last.
func TestResetAfterWriteFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		first := wstest.Text("first")
		first.Header.Masked = true
		s := &reset{Conn: ours, frames: first.Append(nil)}
		c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, nil))
		err := c.Each(t.Context(), func(conn.Message) error {
			wantError(t, c.Write(t.Context(), conn.Text, nil), errUnheard)
			return nil
		})
		wantError(t, err, errUnheard)
		if <-c.Done(); s.failed != 1 {
			t.Errorf("%d reads have failed, want one", s.failed)
		}
	})
}
