// Command broadcast serves the report's broadcasts with Parley's conn alone:
// each message that comes goes to all connections.
package main

import (
	"context"
	"flag"
	"net/http"
	"slices"
	"sync"

	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/conn"
)

func main() {
	send := flag.Bool("send", false, "broadcast by Send instead of WritePrepared")
	harness.HTTP(func(harness.Work) http.HandlerFunc {
		r := &room{send: *send}
		server := &conn.Server{
			// Limits of its own, as engineio has.
			Options: &conn.AcceptOptions{Conn: conn.Options{Limits: conn.Limits{QueueBytes: 4 << 20}}},
			Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
				r.add(c)
				defer r.remove(c)
				return c.Each(ctx, func(m conn.Message) error {
					r.broadcast(ctx, conn.NewPrepared(m.Type, m.Payload))
					return nil
				})
			},
		}
		return server.ServeHTTP
	})
}

// A room is all connections.
type room struct {
	send bool

	mu    sync.RWMutex
	conns []*conn.Conn
}

func (r *room) add(c *conn.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
}

func (r *room) remove(c *conn.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.conns, c); i >= 0 {
		r.conns = slices.Delete(r.conns, i, i+1)
	}
}

// broadcast sends p to all. An error is found again by the goroutine that reads.
func (r *room) broadcast(ctx context.Context, p *conn.Prepared) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, c := range r.conns {
		if r.send {
			c.Send(p)
		} else {
			c.WritePrepared(ctx, p)
		}
	}
}
