package interop

import (
	"context"
	"errors"
	"net/http"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

var ours = library{
	name:      "parley",
	modes:     []mode{plain, deflate, takeover},
	fragments: true,
	handler: func(m mode, serve func(session)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agreed, err := handshake.Accept(w, r, &handshake.Options{Deflate: offer(m)})
			if err != nil {
				return // the client was told, and its test fails
			}
			c, err := conn.New(agreed, conn.RoleServer, nil)
			if err != nil {
				return
			}
			defer c.CloseNow()
			if (m == plain) == (agreed.Deflate == nil) {
				serve(ourSession{c})
			}
		})
	},
	dial: func(m mode, url string) (session, error) {
		agreed, _, err := handshake.Dial(context.Background(), url, &handshake.DialOptions{Deflate: offer(m)})
		if err != nil {
			return nil, err
		}
		c, err := conn.New(agreed, conn.RoleClient, nil)
		if err != nil {
			return nil, err
		}
		if m != plain && agreed.Deflate == nil {
			c.CloseNow()
			return nil, errNoDeflate
		}
		return ourSession{c}, nil
	},
}

func offer(m mode) *handshake.DeflateOptions {
	switch m {
	case deflate:
		return &handshake.DeflateOptions{}
	case takeover:
		return &handshake.DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true}
	}
	return nil
}

type ourSession struct{ c *conn.Conn }

func (s ourSession) write(op frame.Opcode, p []byte, n int) error {
	ctx := context.Background()
	t := conn.MessageType(op == frame.Binary)
	if n == 1 {
		return s.c.Write(ctx, t, p)
	}
	w, err := s.c.Writer(ctx, t)
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

func (s ourSession) read() (frame.Opcode, []byte, error) {
	t, p, err := s.c.Read(context.Background())
	if closed, ok := errors.AsType[*conn.CloseError](err); ok {
		return 0, nil, closedError{closed.Code}
	}
	if t == conn.Binary {
		return frame.Binary, p, err
	}
	return frame.Text, p, err
}

func (s ourSession) close() error { return s.c.Close(frame.StatusNormalClosure, "done") }
