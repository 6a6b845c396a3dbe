package conn

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
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
		if got != "hello" || c.stream.Holds() {
			t.Errorf("got %q, and it holds a buffer", got)
		}
		c.CloseNow()
	})
}
