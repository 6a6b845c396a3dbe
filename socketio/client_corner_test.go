package socketio_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
		answers := make(chan error, 3)
		for _, arg := range []any{large, 1, 2} {
			go func() {
				_, err := socketio.Call[any](t.Context(), c.Timeout(time.Hour), "q", arg)
				answers <- err
			}()
			synctest.Wait()
		}
		c.Emit("e", large)
		c.Emit("last")
		c.Connect()
		if err := <-answers; !errors.Is(err, engineio.ErrTooLarge) {
			t.Errorf("a call that is too large: %v", err)
		}
		if err := <-answers; err == nil || !strings.Contains(err.Error(), "PendingAcks") {
			t.Errorf("the second call: %v", err)
		}
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != `[40 421["q",1] 42["last"]]` {
			t.Errorf("the server got %s", got)
		}
		if !strings.Contains(p.log.String(), `msg="socket.io: event given up" namespace=/ event="\"e\""`) {
			t.Errorf("the log is %s", p.log)
		}
		c.Disconnect()
		if err := <-answers; !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("the first call: %v", err)
		}
	})
}

// A session that opens when the client has turned away from it, and wants another one, is
// closed.
func TestClientTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *socketio.Client
		var d diary
		opened := 0
		consent := make(chan string, 1)
		o := &socketio.DialOptions{NoWait: true, Logger: slog.New(slog.DiscardHandler)}
		o.Setup = func(client *socketio.Client) { c = client }
		o.Engine.Transports = []string{"polling"}
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			var body string
			switch sid := r.URL.Query().Get("sid"); {
			case sid == "":
				if opened++; opened == 1 {
					c.Disconnect()
					c.Connect()
				}
				body = fmt.Sprintf(`0{"sid":"%d","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`, opened)
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
