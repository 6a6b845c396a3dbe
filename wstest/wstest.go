// Package wstest is a kit for tests of WebSocket code, ours and that of those
// who use Parley.
//
// Pipe gives two connected Conns in memory, to test a handler without a
// network. A Peer is one end of a connection that sends exactly the frames of a
// script and states what has to come back, to test how a program behaves
// towards any peer, a broken one too:
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
// Everything in memory works in a bubble of testing/synctest, where time is
// virtual and every timeout passes exactly when it should.
//
// # Concurrency
//
// A Conn may be used by many goroutines, a Peer by one at a time.
package wstest

import (
	"net"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// PipeOptions say how the two ends of a connection in memory behave. Nil and
// the zero value are the defaults.
type PipeOptions struct {
	// Server and Client are the options of the two Conns.
	Server, Client *conn.Options
	// Subprotocol and Deflate are what the handshake would have agreed on.
	Subprotocol string
	Deflate     *handshake.Deflate
	// Size is how many octets are on their way in each direction before a
	// write has to wait. Zero is 1 MiB.
	Size int
}

// Pipe returns two Conns that are connected in memory, as after a handshake.
// They are to be closed like any other. Options that can't be meant panic.
func Pipe(o *PipeOptions) (server, client *conn.Conn) {
	if o == nil {
		o = &PipeOptions{}
	}
	s, c := o.streams()
	return o.conn(s, conn.RoleServer), o.conn(c, conn.RoleClient)
}

// conn returns a Conn in the given role on nc. Options that can't be meant
// panic.
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

// PipePeer returns a Conn in the given role, connected in memory, and a Peer
// in the other one. Both are closed when the test ends.
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

// result is the outcome of a handshake on nc.
func (o *PipeOptions) result(nc net.Conn) *handshake.Result {
	return &handshake.Result{Conn: nc, Subprotocol: o.Subprotocol, Deflate: o.Deflate}
}
