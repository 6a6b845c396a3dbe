package conn_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
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
