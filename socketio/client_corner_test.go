package socketio_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// What can't be sent is an error, wherever it is found out.
func TestClientUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		var kept *socketio.Event
		c := p.start(&socketio.DialOptions{
			Auth:   map[string]string(nil),
			Limits: socketio.ClientLimits{PendingAcks: 1},
			Setup: func(c *socketio.Client) {
				c.OnEvent("question", func(e *socketio.Event) error { kept = e; return nil })
			},
		})
		large := strings.Repeat("x", 1000)
		for _, tt := range []struct {
			event string
			arg   any
			want  string
		}{
			{"e", make(chan int), "unsupported type"},
			{"disconnect", 1, "reserved"},
			{"e", large, engineio.ErrTooLarge.Error()},
			{"e", [11][]byte{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}}, "attachments"},
		} {
			if err := c.Compress(false).Emit(tt.event, tt.arg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Emit: %v, want %s", err, tt.want)
			}
		}
		p.send(`421["question"]`)
		synctest.Wait()
		c.Disconnect()
		if err := kept.Ack(1); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Ack: %v", err)
		}
		synctest.Wait()
		p.take()
		var answers [3]chan error // one each: their order is not told
		for i, arg := range []any{large, 1, 2} {
			answers[i] = make(chan error, 1)
			go func() {
				_, err := socketio.Call[any](t.Context(), c.Timeout(time.Hour), "q", arg)
				answers[i] <- err
			}()
			synctest.Wait()
		}
		c.Emit("e", large)
		c.Emit("last")
		c.Connect()
		if err := <-answers[0]; !errors.Is(err, engineio.ErrTooLarge) {
			t.Errorf("a call that is too large: %v", err)
		}
		if err := <-answers[2]; err == nil || !strings.Contains(err.Error(), "PendingAcks") {
			t.Errorf("the last call: %v", err)
		}
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != `[40 421["q",1] 42["last"]]` {
			t.Errorf("the server got %s", got)
		}
		if !strings.Contains(p.log.String(), `msg="socket.io: event given up" namespace=/ event="\"e\""`) {
			t.Errorf("the log is %s", p.log)
		}
		c.Disconnect()
		if err := <-answers[1]; !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("the second call: %v", err)
		}
	})
}

// Whoever calls with an event that a full buffer drops learns of it at once, and of others
// the log.
func TestClientDropsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{DropOldest: true, Limits: socketio.ClientLimits{BufferEvents: 1}})
		c.Disconnect()
		called := make(chan error, 1)
		go func() {
			_, err := socketio.Call[any](t.Context(), c, "a")
			called <- err
		}()
		synctest.Wait()
		c.Emit("b")
		synctest.Wait()
		select {
		case err := <-called:
			if !errors.Is(err, socketio.ErrBufferFull) {
				t.Error(err)
			}
		default:
			t.Error("a call still waits whose event was dropped")
		}
		c.Emit("c")
		if !strings.Contains(p.log.String(), `event given up" namespace=/ event="\"b\""`) {
			t.Errorf("the log is %s", p.log)
		}
	})
}

// Close drops what waits, and writes no line for each event: its caller means it.
func TestClientCloseDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(nil)
		c.Disconnect()
		c.Emit("e")
		closeClient(t, c)
		if c.Buffered() != 0 || strings.Contains(p.log.String(), "given up") {
			t.Errorf("%d events wait, the log is %s", c.Buffered(), p.log)
		}
	})
}

// A session that opens when the client has turned away from it, and wants another one, is
// closed.
func TestClientTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *socketio.Client
		var d diary
		var opened atomic.Int32
		consent := make(chan string, 1)
		o := &socketio.DialOptions{NoWait: true, Logger: slog.New(slog.DiscardHandler)}
		o.Setup = func(client *socketio.Client) { c = client }
		o.Engine.Transports = []string{"polling"}
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			var body string
			switch sid := r.URL.Query().Get("sid"); {
			case sid == "":
				n := opened.Add(1)
				if n == 1 {
					c.Disconnect()
					c.Connect()
				}
				body = fmt.Sprintf(`0{"sid":"%d","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`, n)
			case r.Method == http.MethodPost:
				sent, _ := io.ReadAll(r.Body)
				d.add("session %s: %s", sid, sent)
				if string(sent) == "40" {
					consent <- `40{"sid":"id"}`
				}
				body = "ok"
			default:
				select {
				case body = <-consent:
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
		})}
		if _, err := socketio.Dial(t.Context(), "http://example.com", o); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !c.Connected() {
			t.Error("not connected")
		}
		got := d.take()
		slices.Sort(got)
		if fmt.Sprint(got) != "[session 1: 1 session 2: 40]" {
			t.Errorf("the server got %q", got)
		}
		closeClient(t, c)
	})
}

// A client that leaves before it has its answer, and with it the connection, asks for the namespace
// anew when it comes back.
func TestClientLeavesUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		p.onConnect = func() {}
		c := p.start(&socketio.DialOptions{NoWait: true})
		synctest.Wait()
		c.Disconnect()
		synctest.Wait()
		p.onConnect = nil
		c.Connect()
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != "[40 40]" || !c.Connected() {
			t.Errorf("the server got %s, connected: %t", got, c.Connected())
		}
	})
}

// What is no Socket.IO server is told by an error that says what it is.
func TestClientBadServers(t *testing.T) {
	answer := func(status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	}
	redirect := answer(http.StatusFound, "")
	redirect.Header.Set("Location", "http://elsewhere.example/")
	for name, tt := range map[string]struct {
		answer *http.Response
		is     func(error) bool
	}{
		"HTML":         {answer(http.StatusOK, "<html>hello</html>"), response(http.StatusOK, "not that of an Engine.IO server")},
		"JSON":         {answer(http.StatusOK, "{}"), response(http.StatusOK, "not that of an Engine.IO server")},
		"bad gateway":  {answer(http.StatusBadGateway, "<html>"), response(http.StatusBadGateway, "want 200")},
		"not found":    {answer(http.StatusNotFound, "404 page not found"), response(http.StatusNotFound, "want 200")},
		"a redirect":   {redirect, response(http.StatusFound, "CheckRedirect")},
		"no open":      {answer(http.StatusOK, "2"), isProtocolError},
		"no sid":       {answer(http.StatusOK, `0{"sid":"","upgrades":[],"pingInterval":1,"pingTimeout":1}`), isProtocolError},
		"no heartbeat": {answer(http.StatusOK, `0{"sid":"s","upgrades":[]}`), isProtocolError},
		"a refusal": {answer(http.StatusForbidden, `{"code":4,"message":"no"}`), func(err error) bool {
			refusal, ok := errors.AsType[*engineio.Refusal](err)
			return ok && refusal.Message == "no" && refusal.Status == http.StatusForbidden
		}},
	} {
		var told error
		o := &socketio.DialOptions{
			Logger:       slog.New(slog.DiscardHandler),
			Reconnection: socketio.Reconnection{Off: true},
			Setup:        func(c *socketio.Client) { c.OnConnectError(func(err error) { told = err }) },
		}
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) { return tt.answer, nil })}
		synctest.Test(t, func(t *testing.T) {
			_, err := socketio.Dial(t.Context(), "http://example.com/?token=secret", o)
			synctest.Wait()
			if err == nil || !tt.is(err) || !tt.is(told) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: Dial returns %v, the handler got %v", name, err, told)
			}
		})
	}
}

// response returns what reports whether an error is that of a response.
func response(status int, reason string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*engineio.ResponseError](err)
		return ok && e.Status == status && strings.Contains(e.Reason, reason)
	}
}

func isProtocolError(err error) bool {
	_, ok := errors.AsType[*engineio.ProtocolError](err)
	return ok
}

// Connect does nothing for a client that wants a connection already, or is closed.
func TestClientConnectsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(nil)
		c.Connect()
		connected := c.Connected()
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != "[40]" || !connected {
			t.Errorf("the server got %s; connected: %t", got, connected)
		}
		closeClient(t, c)
		p.take()
		c.Connect()
		<-time.After(time.Minute)
		if got := p.take(); len(got) > 0 || c.Active() {
			t.Errorf("after Close the server got %q; active: %t", got, c.Active())
		}
	})
}
