package faulttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

const (
	soon    = 100 * time.Millisecond // after which the ctx of a request ends
	tooLong = 8 * time.Second        // how much longer than its ctx a request may take
)

// requests has requests end with their ctx, cancelled or past its deadline, while the broker stands
// still. By themselves they would take longer. Afterwards they are answered again.
func (s *Suite) requests(t *testing.T) {
	broker := s.Broker(t)
	tr := &traffic{t: t}
	for i := range tr.sites {
		tr.sites[i] = tr.serve(i, s.Node(t, broker.Addr(), patience))
	}
	io := tr.sites[0].io
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := 0; n != len(tr.sites); {
		var err error
		if n, err = io.Nodes(ctx); ctx.Err() != nil {
			t.Fatalf("%d nodes, %v", n, err)
		}
	}
	broker.Pause()
	for name, request := range map[string]func(context.Context) error{
		"FetchSockets":   func(ctx context.Context) error { _, err := io.FetchSockets(ctx); return err },
		"CallAll":        func(ctx context.Context) error { _, err := socketio.CallAll[any](ctx, io, "e"); return err },
		"ServerSideCall": func(ctx context.Context) error { _, err := io.ServerSideCall(ctx, "e"); return err },
		"Nodes":          func(ctx context.Context) error { return anyway(io.Nodes(ctx)) },
		"Rooms":          func(ctx context.Context) error { return anyway(io.Rooms(ctx)) },
	} {
		for how, bound := range map[string]func() (context.Context, context.CancelFunc){
			"late": func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), soon) },
			"cancelled": func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(soon, cancel)
				return ctx, cancel
			},
		} {
			ctx, cancel := bound()
			defer cancel()
			begin := time.Now()
			if err := request(ctx); err == nil {
				t.Errorf("%s, %s: no error", name, how)
			}
			if d := time.Since(begin); d > soon+tooLong {
				t.Errorf("%s, %s: it ended after %v", name, how, d)
			}
		}
	}
	broker.Resume()
	if list, err := io.FetchSockets(ctx); len(list) != len(tr.sites) || err != nil {
		t.Errorf("FetchSockets afterwards: %d sockets, %v", len(list), err)
	}
}

// anyway returns an error in each case: not all adapters need the broker for these requests.
func anyway[T any](_ T, err error) error {
	if err == nil {
		err = errors.New("not needed")
	}
	return err
}
