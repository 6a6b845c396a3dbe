package socketio_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// Handlers of a client that a loop serves run on goroutines of the loop's, and Shutdown waits
// for them like for others. They run too where each event holds the client back until they return.
func TestHandlersInLoop(t *testing.T) {
	for name, l := range map[string]socketio.Limits{"read on": {}, "held back": {HandlerQueueBytes: 1}} {
		t.Run(name, func(t *testing.T) { handlersInLoop(t, l) })
	}
}

func handlersInLoop(t *testing.T, l socketio.Limits) {
	quiet := slog.New(slog.DiscardHandler)
	io := newServer(t, &socketio.Options{Logger: quiet, Limits: l, Engine: engineio.Options{Loop: &conn.Loop{}}})
	io.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	})
	web := httptest.NewServer(io)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := &socketio.DialOptions{Logger: quiet, Engine: engineio.DialOptions{Transports: []string{"websocket"}}}
	c, err := socketio.Dial(ctx, web.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if got, err := socketio.Call[int](ctx, c, "double", n); err != nil || got != 2*n {
			t.Fatalf("the double of %d is %d, %v", n, got, err)
		}
	}
	c.Close()
	<-c.Done()
	if err := io.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
