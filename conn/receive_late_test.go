package conn_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
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
