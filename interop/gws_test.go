package interop

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/lxzan/gws"

	"github.com/parleyws/parley/frame"
)

var gwsLibrary = library{
	name:      "gws",
	modes:     []mode{plain, deflate, takeover},
	fragments: true,
	handler: func(m mode, serve func(session)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			events := newGWSEvents()
			upgrader := gws.NewUpgrader(events, &gws.ServerOption{PermessageDeflate: gwsDeflate(m), CheckUtf8Enabled: true})
			c, err := upgrader.Upgrade(w, r)
			if err != nil {
				return
			}
			go c.ReadLoop()
			serve(gwsSession{c, events})
			c.NetConn().Close()
		})
	},
	dial: func(m mode, url string) (session, error) {
		events := newGWSEvents()
		c, response, err := gws.NewClient(events, &gws.ClientOption{Addr: url, PermessageDeflate: gwsDeflate(m), CheckUtf8Enabled: true})
		if err != nil {
			return nil, err
		}
		if m != plain && !strings.Contains(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
			c.NetConn().Close()
			return nil, errNoDeflate
		}
		go c.ReadLoop()
		return gwsSession{c, events}, nil
	},
}

func gwsDeflate(m mode) gws.PermessageDeflate {
	return gws.PermessageDeflate{
		Enabled:               m != plain,
		ServerContextTakeover: m == takeover,
		ClientContextTakeover: m == takeover,
		Threshold:             1,
	}
}

// gwsEvents turns the library's callbacks, which all come from its read loop, into a
// channel. The channel holds one message, so a slow reader stops the loop.
type gwsEvents struct {
	gws.BuiltinEventHandler
	messages chan gwsMessage
}

type gwsMessage struct {
	op      frame.Opcode
	payload []byte
	err     error
}

func newGWSEvents() gwsEvents { return gwsEvents{messages: make(chan gwsMessage, 1)} }

func (e gwsEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	e.messages <- gwsMessage{op: frame.Opcode(m.Opcode), payload: bytes.Clone(m.Bytes())}
}

func (e gwsEvents) OnPing(c *gws.Conn, payload []byte) { c.WritePong(payload) }

func (e gwsEvents) OnClose(_ *gws.Conn, err error) {
	if closed, ok := errors.AsType[*gws.CloseError](err); ok {
		err = closedError{frame.StatusCode(closed.Code)}
	}
	e.messages <- gwsMessage{err: err}
}

type gwsSession struct {
	c      *gws.Conn
	events gwsEvents
}

// write sends fragments with the only function of the library that does. The library
// chooses their sizes.
func (s gwsSession) write(op frame.Opcode, p []byte, n int) error {
	if n == 1 {
		return s.c.WriteMessage(gws.Opcode(op), p)
	}
	return s.c.WriteFile(gws.Opcode(op), bytes.NewReader(p))
}

func (s gwsSession) read() (frame.Opcode, []byte, error) {
	m := <-s.events.messages
	return m.op, m.payload, m.err
}

// close ends the connection without waiting for the peer, as the library does.
func (s gwsSession) close() error { return s.c.WriteClose(1000, []byte("done")) }
