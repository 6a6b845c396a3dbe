package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

// The tool says how many clients have connected, what they hold, and how their calls
// have gone.
func TestClients(t *testing.T) {
	io, err := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "ask", func(_ context.Context, text string) (string, error) { return text, nil })
	})
	server := httptest.NewServer(io)
	defer server.Close()
	defer io.Shutdown(t.Context())
	p := party{url: server.URL, transport: "websocket", event: "ask", clients: 5, rate: 50, duration: time.Second}
	var out bytes.Buffer
	if err := p.run(&out); err != nil {
		t.Fatal(err)
	}
	want := `^5 clients connected in .* s
idle: .* KB and .* goroutines a client
( +[\d.]+ s: 5 connected, \d+ calls, p50 .*, p99 .*; 0 failed
)+in all: [1-9]\d* calls, p50 .*, p99 .*; 0 failed, 0 connections lost
$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("it says %s", out.String())
	}
}
