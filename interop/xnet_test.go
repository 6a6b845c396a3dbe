package interop

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/websocket"

	"github.com/parleyws/parley/frame"
)

// x/net delivers each frame of a fragmented message separately, and does not
// report close codes.
var xnet = library{
	name:  "xnet",
	modes: []mode{plain},
	handler: func(_ mode, serve func(session)) http.Handler {
		return websocket.Server{Handler: func(c *websocket.Conn) {
			defer c.Close() // sends a Close frame
			serve(xnetSession{c})
		}}
	},
	dial: func(_ mode, url string) (session, error) {
		origin := strings.TrimSuffix(strings.Replace(url, "ws", "http", 1), "/")
		c, err := websocket.Dial(url, "", origin)
		if err != nil {
			return nil, err
		}
		return xnetSession{c}, nil
	},
}

type xnetSession struct{ c *websocket.Conn }

type xnetMessage struct {
	op      frame.Opcode
	payload []byte
}

// xnetCodec keeps the type of a message, which the library's own codecs drop.
var xnetCodec = websocket.Codec{
	Marshal: func(v any) ([]byte, byte, error) {
		m := v.(xnetMessage)
		return m.payload, byte(m.op), nil
	},
	Unmarshal: func(p []byte, payloadType byte, v any) error {
		*v.(*xnetMessage) = xnetMessage{frame.Opcode(payloadType), p}
		return nil
	},
}

func (s xnetSession) write(op frame.Opcode, p []byte, _ int) error {
	return xnetCodec.Send(s.c, xnetMessage{op, p})
}

func (s xnetSession) read() (frame.Opcode, []byte, error) {
	var m xnetMessage
	err := xnetCodec.Receive(s.c, &m)
	if errors.Is(err, io.EOF) {
		err = closedError{}
	}
	return m.op, m.payload, err
}

func (s xnetSession) close() error { return s.c.Close() }
