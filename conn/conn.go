package conn

import (
	"fmt"

	"github.com/parleyws/parley/conn/internal/stream"
	"github.com/parleyws/parley/handshake"
)

// A Conn is a WebSocket connection. It is made by Accept, Dial or New.
//
// All methods may be called from any goroutine at any time. A Conn must be
// ended, by its peer or by Close or CloseNow; it then holds nothing.
type Conn struct {
	settings *settings // constant; shared by the connections of a Server
	terms    *terms    // constant; nil: plain frames of a server, and nothing to know
	out      outbound  // what a broadcast touches of each recipient comes first

	life   life
	in     inbound
	stream stream.Stream
	pings  pinger
	places places
}

// places say where those who have many connections keep this one. Each place is its keeper's.
type places struct {
	server int32 // its index in Server.conns
	clock  int32 // see alarm.Sleeper
}

// New makes a Conn of a stream on which the handshake is done. It takes over
// hs.Conn and hs.Buffered, unless it fails. nil options are the defaults. The
// parameters of permessage-deflate are those of hs.
//
// A stream with a method TryWrite([]byte) (int, error), which takes what it can
// without blocking, is written to as a socket is. One whose deadlines do not work,
// or which has none, is closed where they would be needed.
func New(hs *handshake.Result, role Role, o *Options) (*Conn, error) {
	s, err := o.settings()
	if err == nil {
		err = checkTerms(hs)
	}
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	hs.Conn = s.loop.enter(hs.Conn)
	return newConn(hs, role, s), nil
}

// checkTerms tells what is wrong with a handshake's result that was made by
// hand.
func checkTerms(hs *handshake.Result) error {
	if d := hs.Deflate; d != nil {
		for _, bits := range [...]int{d.ServerMaxWindowBits, d.ClientMaxWindowBits} {
			if bits < minWindowBits || bits > maxWindowBits {
				return fmt.Errorf("a window of %d bits, want %d to %d", bits, minWindowBits, maxWindowBits)
			}
		}
	}
	return nil
}

// newConn makes a Conn of a stream that has entered the settings' loop.
func newConn(hs *handshake.Result, role Role, s *settings) *Conn {
	c := &Conn{
		stream:   stream.New(hs.Conn, hs.Buffered),
		settings: s,
		terms:    newTerms(hs, role, s),
	}
	c.life.serving = role == RoleServer
	c.in.init(c)
	c.out.init(c)
	c.in.startKeepalive()
	return c
}
