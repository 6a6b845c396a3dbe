package socketio_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// The answer to a volatile call is not taken for that of an event that is sent again.
func TestClientVolatileCallWithRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Retries: 1, Reconnection: steady})
		synctest.Wait()
		answer := make(chan string, 1)
		call := func() {
			got, err := socketio.Call[string](t.Context(), c.Volatile(), "e")
			answer <- fmt.Sprint(got, errors.Is(err, socketio.ErrDisconnected))
		}
		go call()
		synctest.Wait()
		p.send(`430["yes"]`)
		if got := <-answer; got != "yesfalse" {
			t.Errorf("got %s", got)
		}
		go call()
		synctest.Wait()
		p.send("41")
		if got := <-answer; got != "true" {
			t.Errorf("after a disconnect: %s", got)
		}
	})
}

// Flush does not wait for events that were dropped, whatever comes after them.
func TestClientFlushOfDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{DropOldest: true, Limits: socketio.ClientLimits{BufferEvents: 1}})
		c.Disconnect()
		c.Emit("a")
		flushed := make(chan error, 1)
		go func() { flushed <- c.Flush(t.Context()) }()
		synctest.Wait()
		c.Emit("b")
		synctest.Wait()
		select {
		case err := <-flushed:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("Flush still waits for an event that was dropped")
		}
	})
}
