package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyws/parley/conn"
)

// Messages of the odd connections don't count, nor do connections that vanish:
// the others go on.
func TestOddAndVanished(t *testing.T) {
	ended := make(chan struct{}, 10)
	server := httptest.NewServer(&conn.Server{Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
		defer func() { ended <- struct{}{} }()
		return c.Each(ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) })
	}})
	defer server.Close()
	g, err := newGenerator()
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	if err := g.connect(Target{Address: strings.TrimPrefix(server.URL, "http://"), Conns: 10, Dialers: 10}); err != nil {
		t.Fatal(err)
	}
	r, err := g.run(Work{Size: 16, InFlight: 3, Messages: 1, Odd: 2, OddText: "an odd one", OddInFlight: 7, Vanish: 5})
	if err != nil {
		t.Fatal(err)
	}
	// Two are odd and five vanish: that leaves three, with three messages each.
	if r.Messages != 9 || len(g.peers) != 5 {
		t.Errorf("%d messages, and %d connections are left; want 9 and 5", r.Messages, len(g.peers))
	}
	for range 5 {
		<-ended
	}
	if r, err := g.run(Work{Size: 16, InFlight: 1, Messages: 1}); err != nil || r.Messages != 5 {
		t.Errorf("afterwards: %d messages, %v; want 5", r.Messages, err)
	}
}
