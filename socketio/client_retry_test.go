package socketio_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A writeFunc is a log that is written by a function.
type writeFunc func(line string)

func (f writeFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// An event whose session is lost is sent again in the next one, and is not given up, however
// long the loss takes to be logged.
func TestClientRetriesBesideSlowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		logged := make(chan struct{})
		o := p.options(&socketio.DialOptions{Reconnection: steady, Retries: 1, AckTimeout: 10 * time.Second})
		o.Logger = slog.New(slog.NewTextHandler(writeFunc(func(line string) {
			if strings.Contains(line, "connection lost") {
				<-logged
			}
		}), nil))
		c, err := socketio.Dial(t.Context(), "http://example.com", o)
		if err != nil {
			t.Fatal(err)
		}
		defer closeClient(t, c)
		answer := make(chan string, 1)
		go func() {
			x, err := socketio.Call[int](t.Context(), c, "e")
			answer <- fmt.Sprint(x, err)
		}()
		synctest.Wait()
		p.conn.CloseNow()
		<-time.After(2 * time.Second)
		if got := fmt.Sprint(p.take()); got != `[40 420["e"] 40 420["e"]]` {
			t.Errorf("the server got %s", got)
		}
		close(logged)
		synctest.Wait()
		p.send("430[7]")
		if got := <-answer; got != "7 <nil>" {
			t.Errorf("got %s", got)
		}
		if got := p.take(); len(got) > 0 {
			t.Errorf("the server got %q too", got)
		}
	})
}

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
