package socketio_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
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

// An event for which the queue of a session has no room is tried in the next ones, and then given
// up. The event after it has all its tries left.
func TestClientRetriesFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, gets := 0, 0
		log := new(logbook)
		o := &socketio.DialOptions{NoWait: true, Reconnection: steady, Retries: 2, Logger: slog.New(slog.NewTextHandler(log, nil))}
		o.Engine.Transports = []string{"polling"}
		o.Engine.Limits.QueueBytes = 1600
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			var body string
			switch {
			case r.URL.Query().Get("sid") == "":
				sessions++
				gets = 0
				body = `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`
			case r.Method == http.MethodPost || gets == 2: // it takes nothing
				<-r.Context().Done()
				return nil, r.Context().Err()
			case gets == 0: // CONNECT is on its way
				<-time.After(time.Second)
				gets = 1
				body = "40/other,{\"sid\":\"id\"}\x1e42/other,1[\"question\"]"
			default: // the answer is in the queue
				<-time.After(time.Second)
				gets = 2
				body = `40{"sid":"id"}`
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
		})}
		text := strings.Repeat("x", 400)
		c, err := socketio.Dial(t.Context(), "http://example.com", o)
		if err != nil {
			t.Fatal(err)
		}
		other := c.Of("/other")
		other.OnEvent("question", func(e *socketio.Event) error { return e.Ack(strings.Repeat("x", 1100)) })
		other.Connect()
		for range 2 {
			if err := c.Emit("e", text); err != nil {
				t.Error(err)
			}
		}
		<-time.After(40 * time.Second)
		if got := strings.Count(log.String(), "event given up"); sessions != 7 || got != 2 || c.Buffered() != 0 {
			t.Errorf("%d sessions, want one for each of 2 * 3 tries and the next; given up %d times, %d events wait", sessions, got, c.Buffered())
		}
		closeClient(t, c)
	})
}

// Flush does not wait any longer when the event it waits for turns out to be too large.
func TestClientRetriesFlushUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Retries: 1})
		c.Disconnect()
		c.Emit("large", strings.Repeat("x", 1000))
		flushed := make(chan error, 1)
		go func() { flushed <- c.Flush(t.Context()) }()
		synctest.Wait()
		c.Connect()
		synctest.Wait()
		select {
		case err := <-flushed:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("Flush still waits for an event that can't be sent")
		}
	})
}

// An acknowledgement that is late is awaited no longer: those that are count for
// ClientLimits.PendingAcks.
func TestClientRetriesPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Retries: 1, AckTimeout: time.Second, Limits: socketio.ClientLimits{PendingAcks: 1}})
		c.Emit("a")
		c.Emit("b")
		start := time.Now()
		if err := c.Flush(t.Context()); err != nil || time.Since(start) != 4*time.Second {
			t.Errorf("Flush: %v after %v, want both events to be given up after two tries", err, time.Since(start))
		}
		if got := fmt.Sprint(p.take()); got != `[40 420["a"] 420["a"] 421["b"] 421["b"]]` {
			t.Errorf("the server got %s", got)
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
