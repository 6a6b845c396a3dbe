package conn

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// goroutine returns the name of the one that calls it.
func goroutine() string {
	b := make([]byte, 64)
	name, _, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), " [")
	return name
}

// A fresh goroutine goes on behind the first message, and when the watch looks
// behind others; between those it is the same one.
func TestHandleMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, nil))
		go io.Copy(io.Discard, theirs)
		var by []string
		ended := false
		Receive(c, func(Message) error {
			by = append(by, goroutine())
			return nil
		}, func(error) { ended = true })
		for range 4 {
			if len(by) == 3 {
				<-time.After(30 * time.Second)
			}
			theirs.Write(frame.Header{Fin: true, Opcode: frame.Text}.Append(nil))
			synctest.Wait()
		}
		if len(by) != 4 || by[0] == by[1] || by[1] != by[2] || by[2] == by[3] {
			t.Errorf("handled by %q", by)
		}
		theirs.Close()
		synctest.Wait()
		if !ended {
			t.Error("the connection is over, and the Receiver does not know")
		}
	})
}
