package main

import (
	"context"
	"net"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// A way is how a connection is killed. do closes c in the end, and may take as long as
// patience.
type way struct {
	name string
	do   func(c *net.TCPConn)
}

// ways are all but two: goodbye, which is the client's own, and recover, after which it
// comes back.
var ways = []way{
	{"reset", func(c *net.TCPConn) {
		c.SetLinger(0)
		c.Close()
	}},
	{"end of the stream", func(c *net.TCPConn) { c.Close() }},
	{"end in mid-frame", func(c *net.TCPConn) {
		send(c, masked(frame.Text, make([]byte, 1000))[:300])
		c.Close()
	}},
	{"half-close", stolen(func(c *net.TCPConn) {
		c.CloseWrite()
		discard(c)
	})},
	{"silence", stolen(func(c *net.TCPConn) { time.Sleep(patience) })},
	{"garbage", stolen(func(c *net.TCPConn) {
		send(c, garbage)
		discard(c)
	})},
	{"Close frame", stolen(func(c *net.TCPConn) {
		send(c, masked(frame.Close, frame.AppendClose(nil, 1000, "soak")))
		discard(c)
	})},
}

// stop is what a slow reader does: it asks for more than it has room for, and stops.
func stop(ctx context.Context, c *net.TCPConn, requests []byte) {
	if c = steal(c); c == nil {
		return
	}
	defer c.Close()
	c.SetReadBuffer(4 << 10)
	c.SetLinger(0)
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write(requests) // of what does not fit, nothing leaves any more
	select {
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

// garbage is no frame (RSV bits, an unknown opcode) and no request.
var garbage = []byte("\xff\x00\x01\x02 this is neither a frame nor a request\r\n\r\n\xff\xff\xff\xff")

// stolen returns f for the connection after it was taken away from its client.
func stolen(f func(*net.TCPConn)) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		if c = steal(c); c == nil {
			return
		}
		defer c.Close()
		f(c)
	}
}

// send writes what the peer takes at once.
func send(c *net.TCPConn, b []byte) {
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write(b)
}

// masked returns the frame of a message, as a client sends it.
func masked(opcode frame.Opcode, payload []byte) []byte {
	h := frame.Header{Fin: true, Opcode: opcode, Masked: true, MaskKey: [4]byte{1, 2, 3, 4}, Length: int64(len(payload))}
	b := append(h.Append(nil), payload...)
	mask.Bytes(b[len(b)-len(payload):], h.MaskKey, 0)
	return b
}
