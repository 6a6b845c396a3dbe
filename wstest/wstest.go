// Package wstest helps to test WebSocket code: Parley's own and that of its
// users.
//
// Pipe returns two Conns that are connected in memory, so that a handler can be
// tested without a network. A Peer is one end of a connection that is driven
// frame by frame. It sends exactly the frames of a script and checks what comes
// back, so that a test can play any peer, even one that breaks the protocol:
//
//	c, p := wstest.PipePeer(t, conn.RoleServer, nil)
//	go serve(c)
//	p.Send(wstest.Text("hel").More(), wstest.Ping("now"), wstest.Cont("lo"))
//	p.Want(wstest.Pong("now"), wstest.Text("hello"))
//	p.Send(wstest.Text("\xFF"))
//	p.WantClose(frame.StatusInvalidPayload)
//	p.WantEOF()
//
// # Time
//
// Connections in memory work in a bubble of testing/synctest, where time is
// virtual and every timeout passes at its exact time.
//
// # Concurrency
//
// A Conn may be used by several goroutines at once, a Peer by one at a time.
package wstest

import (
	"net"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// PipeOptions configure a connection in memory. A nil *PipeOptions and the zero
// value select the defaults.
type PipeOptions struct {
	// Server and Client are the options of the two Conns.
	Server, Client *conn.Options
	// Subprotocol is the subprotocol that the handshake would have agreed on.
	Subprotocol string
	// Deflate holds the terms of compression that the handshake would have agreed
	// on. Nil turns compression off.
	Deflate *handshake.Deflate
	// Size is the number of bytes that each direction buffers before a write has
	// to wait. Zero means 1 MiB.
	Size int
}

// Pipe returns two Conns that are connected in memory, as after a handshake. The
// caller must close them, as any other Conn. Pipe panics if conn.New refuses the
// options.
func Pipe(o *PipeOptions) (server, client *conn.Conn) {
	if o == nil {
		o = &PipeOptions{}
	}
	s, c := o.streams()
	return o.conn(s, conn.RoleServer), o.conn(c, conn.RoleClient)
}

// conn returns a Conn in the given role on nc. It panics if conn.New refuses the
// options.
func (o *PipeOptions) conn(nc net.Conn, role conn.Role) *conn.Conn {
	options := o.Server
	if role == conn.RoleClient {
		options = o.Client
	}
	c, err := conn.New(o.result(nc), role, options)
	if err != nil {
		panic(err)
	}
	return c
}

// PipePeer returns a Conn in the given role and a Peer in the other role, which
// are connected in memory. Both are closed when the test ends. PipePeer panics if
// conn.New refuses the options.
func PipePeer(tb testing.TB, role conn.Role, o *PipeOptions) (*conn.Conn, *Peer) {
	if o == nil {
		o = &PipeOptions{}
	}
	ours, theirs := o.streams()
	c := o.conn(ours, role)
	tb.Cleanup(func() { c.CloseNow() })
	return c, NewPeer(tb, theirs, !role)
}

// streams returns the two ends of the stream.
func (o *PipeOptions) streams() (a, b net.Conn) {
	if o.Size > 0 {
		return pipe.NewSize(o.Size)
	}
	return pipe.New()
}

// result returns the outcome of a handshake on nc that agreed on o.
func (o *PipeOptions) result(nc net.Conn) *handshake.Result {
	return &handshake.Result{Conn: nc, Subprotocol: o.Subprotocol, Deflate: o.Deflate}
}
