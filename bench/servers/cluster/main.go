// Command cluster is a node of the report's work for many nodes: a Socket.IO server with one
// of our adapters. It publishes numbered events when it is told to, and its clients join the
// rooms that they ask for.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/parleyws/parley/bench/proc"
	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/socketio"
)

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	adapter := flag.String("adapter", "", "the adapter's `name`: a key of adapters")
	address := flag.String("broker", "", "`host:port` of the broker, or of another node's for embedded")
	flag.Parse()
	if err := run(*adapter, *address); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(adapter, address string) error {
	connect := adapters[adapter]
	if connect == nil {
		return fmt.Errorf("no adapter is called %q", adapter)
	}
	b, err := connect(context.Background(), address)
	if err != nil {
		return err
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: b.Adapter, Recovery: b.recovery})
	if err != nil {
		return err
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.On(s, "join", func(_ context.Context, rooms []string) error {
			if err := s.Join(rooms...); err != nil {
				return err
			}
			return s.Emit("joined")
		})
	})
	if err := b.Ready(context.Background()); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- http.Serve(l, io) }()
	proc.Serve(l.Addr().String(), map[string]proc.Handler{
		"cpu":     harness.CPU,
		"profile": harness.Profile,
		"publish": func(args json.RawMessage) (any, error) { return publish(io, b, args) },
		"peer":    func(json.RawMessage) (any, error) { return b.peer, nil },
	})
	select {
	case err := <-served:
		return err
	default:
		return nil
	}
}
