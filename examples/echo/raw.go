package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// serveRaw upgrades each net.Conn without net/http, in one pass over the request.
func serveRaw(ctx context.Context, listener net.Listener, options *conn.AcceptOptions) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		nc, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // for example too many open files: wait until some are closed
			time.Sleep(10 * time.Millisecond)
			continue
		}
		serving.Go(func() { serveConn(ctx, nc, options) })
	}
}

// serveConn echoes on one connection until the connection ends. When ctx ends,
// it closes the connection with 1001.
func serveConn(ctx context.Context, nc net.Conn, options *conn.AcceptOptions) {
	agreed, err := handshake.AcceptConn(nc, &options.Handshake)
	if err != nil {
		return // the refusal was sent, and nc was closed
	}
	c, err := conn.New(agreed, conn.RoleServer, &options.Conn)
	if err != nil {
		nc.Close()
		return
	}
	defer c.CloseNow()
	stop := context.AfterFunc(ctx, func() { c.Close(frame.StatusGoingAway, "server shuts down") })
	defer stop()
	echo(context.Background(), c)
}
