package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
)

// obey does what a message says, such as "sleep 50ms" or "burn 1ms", and sends
// it back. It sends other messages back at once.
func obey(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
	return func(m conn.Message) error {
		if order, length, ok := strings.Cut(string(m.Payload), " "); ok {
			d, err := time.ParseDuration(length)
			if err != nil {
				return err
			}
			if order == "burn" {
				burn(d)
			} else {
				time.Sleep(d)
			}
		}
		return c.Write(ctx, m.Type, m.Payload)
	}
}

// burn keeps a processor busy.
func burn(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}
