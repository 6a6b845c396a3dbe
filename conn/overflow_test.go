package conn

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// What Send has taken before Close leaves, though another Send finds the queue full at the same
// time, and comes too late to end the connection.
func TestOverflowAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.NewSize(1 << 10)
		c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
		p := NewPrepared(Binary, make([]byte, 1000))
		const taken = 50
		for range taken {
			if err := c.Send(p); err != nil {
				t.Fatal(err)
			}
		}
		closed := make(chan error, 1)
		go func() { closed <- c.Close(frame.StatusNormalClosure, "") }()
		synctest.Wait()
		c.overflow()
		time.Sleep(c.settings.CloseTimeout + time.Second) // which does not run before our Close frame is out
		var all []byte
		theirs.SetReadDeadline(time.Now().Add(time.Second))
		for got := 0; ; {
			h, n, err := frame.Parse(all)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 || len(all) < n+int(h.Length) {
				more := make([]byte, 4<<10)
				n, err := theirs.Read(more)
				if err != nil {
					t.Fatalf("after %d messages: %v", got, err)
				}
				all = append(all, more[:n]...)
				continue
			}
			if h.Opcode == frame.Close {
				if got != taken {
					t.Errorf("%d messages, want %d", got, taken)
				}
				break
			}
			got++
			all = all[n+int(h.Length):]
		}
		go io.Copy(io.Discard, theirs)
		theirs.Write(frame.AppendClose(frame.Header{Fin: true, Opcode: frame.Close, Masked: true, Length: 2}.Append(nil), frame.StatusNormalClosure, ""))
		if err := <-closed; err != nil {
			t.Error(err)
		}
		theirs.Close()
		<-c.Done()
	})
}
