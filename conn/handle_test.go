package conn

import (
	"io"
	"net"
	"runtime"
	"slices"
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

// A fresh goroutine goes on after the first message, after one whose handler has called Quiet, and
// when the keepalive has looked after others; between those it is the same one.
func TestHandleMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, nil))
		go io.Copy(io.Discard, theirs)
		var by []string
		ended := false
		Receive(c, func(Message) error {
			if by = append(by, goroutine()); len(by) == 5 {
				c.Quiet()
			}
			return nil
		}, func(error) { ended = true })
		for range 7 {
			if len(by) == 3 {
				<-time.After(30 * time.Second)
			}
			theirs.Write(frame.Header{Fin: true, Opcode: frame.Text}.Append(nil))
			synctest.Wait()
		}
		var moved []int
		for i := range by[1:] {
			if by[i] != by[i+1] {
				moved = append(moved, i+1)
			}
		}
		if want := []int{1, 3, 5}; len(by) != 7 || !slices.Equal(moved, want) {
			t.Errorf("handled by %q, want another one after %d of 7 messages", by, want)
		}
		theirs.Close()
		synctest.Wait()
		if !ended {
			t.Error("the connection is over, and the Receiver does not know")
		}
	})
}

// A fresh goroutine goes on after a message for which Quiet was called, as after the first one.
// After others the same goroutine goes on.
func TestQuietMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := must(New(&handshake.Result{Conn: ours}, RoleClient, nil))
		defer c.CloseNow()
		var by []string
		Receive(c, func(Message) error {
			if by = append(by, goroutine()); len(by) == 3 {
				c.Quiet()
			}
			return nil
		}, func(error) {})
		for range 5 {
			theirs.Write(frame.Header{Fin: true, Opcode: frame.Text}.Append(nil))
			synctest.Wait()
		}
		if len(by) != 5 || by[1] != by[2] || by[2] == by[3] || by[3] != by[4] {
			t.Errorf("handled by %q", by)
		}
	})
}
