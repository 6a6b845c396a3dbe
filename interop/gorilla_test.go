package interop

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parleyws/parley/frame"
)

// gorillaBuffer is small, so that gorilla sends messages in fragments.
const gorillaBuffer = 1024

var gorilla = library{
	name:      "gorilla",
	modes:     []mode{plain, deflate},
	fragments: true,
	handler: func(m mode, serve func(session)) http.Handler {
		upgrader := websocket.Upgrader{WriteBufferSize: gorillaBuffer, EnableCompression: m != plain}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer c.Close()
			serve(gorillaSession{c})
		})
	},
	dial: func(m mode, url string) (session, error) {
		dialer := websocket.Dialer{WriteBufferSize: gorillaBuffer, EnableCompression: m != plain}
		c, response, err := dialer.Dial(url, nil)
		if err != nil {
			return nil, err
		}
		if m != plain && !strings.Contains(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
			c.Close()
			return nil, errNoDeflate
		}
		return gorillaSession{c}, nil
	},
}

type gorillaSession struct{ c *websocket.Conn }

func (s gorillaSession) write(op frame.Opcode, p []byte, n int) error {
	if n == 1 {
		return s.c.WriteMessage(int(op), p)
	}
	w, err := s.c.NextWriter(int(op))
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

func (s gorillaSession) read() (frame.Opcode, []byte, error) {
	op, p, err := s.c.ReadMessage()
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return 0, nil, closedError{frame.StatusCode(closed.Code)}
	}
	return frame.Opcode(op), p, err
}

func (s gorillaSession) close() error {
	payload := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "done")
	err := s.c.WriteControl(websocket.CloseMessage, payload, time.Now().Add(patience))
	if err != nil {
		return err
	}
	if _, _, err = s.read(); !errors.Is(err, closedError{frame.StatusNormalClosure}) {
		return err
	}
	return s.c.Close()
}
