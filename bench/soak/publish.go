package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/parleyws/parley/conn"
)

// publish sends a numbered message to each of the rooms in turn, to all of them in an
// interval, until the soak is drained or the connection has ended. Nobody kills its connection.
// While all rest, it sends nothing.
func (s *soak) publish(rooms []*room, send func(r *room, n int, at int64) error) {
	at := s.now()
	for i := 0; !s.isDraining(); i++ {
		at += s.interval / time.Duration(len(rooms))
		s.pause(at - s.now())
		if s.isDraining() {
			return
		}
		if s.resting.Load() {
			continue
		}
		r := rooms[i%len(rooms)]
		n := r.published.Add(1) - 1
		if err := send(r, int(n), int64(at)); err != nil {
			s.tally.wrong("publisher: %v", err)
			return
		}
	}
}

// publishPlain publishes to rooms of plain WebSocket.
func (s *soak) publishPlain(rooms []*room) (stop func(), err error) {
	c, _, err := conn.Dial(context.Background(), "ws://"+s.address+"/ws", nil)
	if err != nil {
		return nil, err
	}
	c.CloseRead(context.Background())
	s.publishers.Go(func() {
		s.publish(rooms, func(r *room, n int, at int64) error {
			return c.Write(context.Background(), conn.Text, fmt.Appendf(nil, ">%s %d %d %s", r.name, n, at, pad))
		})
	})
	return plain{c}.abandon, nil
}

// publishEvents publishes to rooms of Socket.IO.
func (s *soak) publishEvents(rooms []*room) (stop func(), err error) {
	t := new(tap)
	w := &watch{all: s.tally, now: s.now, kind: "publisher of events", room: new(room), gone: make(chan struct{})}
	c, err := dialSocketIO("websocket")(context.Background(), s.address, w, t)
	if err != nil {
		return nil, err
	}
	publisher := c.(events).c
	s.publishers.Go(func() {
		s.publish(rooms, func(r *room, n int, at int64) error { return publisher.Emit("publish", r.name, Note{n, at, pad}) })
	})
	return func() {
		w.hurting()
		c.abandon()
		t.kill(func(c *net.TCPConn) { c.Close() })
	}, nil
}
