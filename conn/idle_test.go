package conn

import (
	"bytes"
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
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
		if got != "hello" || c.stream.Held() > 0 {
			t.Errorf("got %q, and it holds %d bytes", got, c.stream.Held())
		}
		c.CloseNow()
	})
}

// A connection of a loop that waits for the rest of a frame holds a small buffer, though
// what came before it needed a large one.
func TestIdleHoldsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, &Options{Loop: &Loop{}}))
		got := 0
		Receive(c, func(m Message) error { got++; return nil }, func(error) {})
		message := frame.Header{Fin: true, Opcode: frame.Text, Length: 100}.Append(nil)
		message = append(message, make([]byte, 100)...)
		for range 3 { // the third finds the buffer as the second has left it
			theirs.Write(bytes.Repeat(message, 200))
			theirs.Write(message[:50])
			synctest.Wait()
			if c.stream.Held() > 4<<10 {
				t.Errorf("it holds %d bytes", c.stream.Held())
			}
			theirs.Write(message[50:])
		}
		synctest.Wait()
		if got != 3*201 || c.stream.Held() > 0 {
			t.Errorf("%d messages, and it holds %d bytes", got, c.stream.Held())
		}
		c.CloseNow()
	})
}
