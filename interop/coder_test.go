package interop

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/parleyws/parley/frame"
)

var coder = library{
	name:      "coder",
	modes:     []mode{plain, deflate, takeover},
	fragments: true,
	handler: func(m mode, serve func(session)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: coderMode(m)})
			if err != nil {
				return
			}
			defer c.CloseNow()
			c.SetReadLimit(-1)
			serve(coderSession{c})
		})
	},
	dial: func(m mode, url string) (session, error) {
		c, response, err := websocket.Dial(context.Background(), url, &websocket.DialOptions{CompressionMode: coderMode(m)})
		if err != nil {
			return nil, err
		}
		if m != plain && !strings.Contains(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
			c.CloseNow()
			return nil, errNoDeflate
		}
		c.SetReadLimit(-1)
		return coderSession{c}, nil
	},
}

func coderMode(m mode) websocket.CompressionMode {
	switch m {
	case deflate:
		return websocket.CompressionNoContextTakeover
	case takeover:
		return websocket.CompressionContextTakeover
	}
	return websocket.CompressionDisabled
}

type coderSession struct{ c *websocket.Conn }

func (s coderSession) write(op frame.Opcode, p []byte, n int) error {
	ctx := context.Background()
	if n == 1 {
		return s.c.Write(ctx, websocket.MessageType(op), p)
	}
	w, err := s.c.Writer(ctx, websocket.MessageType(op))
	if err != nil {
		return err
	}
	for _, part := range parts(p, n) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

func (s coderSession) read() (frame.Opcode, []byte, error) {
	op, p, err := s.c.Read(context.Background())
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return 0, nil, closedError{frame.StatusCode(closed.Code)}
	}
	return frame.Opcode(op), p, err
}

func (s coderSession) close() error { return s.c.Close(websocket.StatusNormalClosure, "done") }
