package conn

import (
	"context"
	"net"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A connection that waits for the next message has given the buffer of
// the last one back.
func TestIdleHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := New(&handshake.Result{Conn: ours}, RoleClient, nil)
		var got string
		go c.Each(context.Background(), func(m Message) error {
			got = string(m.Payload)
			return nil
		})
		theirs.Write(frame.Header{Fin: true, Opcode: frame.Text, Length: 5}.Append(nil))
		theirs.Write([]byte("hello"))
		synctest.Wait()
		if held := reflect.ValueOf(&c.src).Elem().FieldByName("buf"); got != "hello" || !held.IsNil() {
			t.Errorf("got %q, and it holds %v", got, held)
		}
		c.CloseNow()
	})
}
