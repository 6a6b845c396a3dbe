package conn

import (
	"context"
	"net/http"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// Accept answers the upgrade request r and returns the connection, in the role
// of the server. nil options are the defaults. When it fails a refusal has
// been written already and the error is a *handshake.Error.
//
// The connection outlives the handler, but r.Context() ends with it. A handler
// that stays to serve the connection keeps the buffers and the stack of
// net/http's for it; Server avoids that.
func Accept(w http.ResponseWriter, r *http.Request, o *AcceptOptions) (*Conn, error) {
	if o == nil {
		o = &AcceptOptions{}
	}
	hs, err := handshake.Accept(w, r, &o.Handshake)
	if err != nil {
		return nil, err
	}
	return New(hs, RoleServer, &o.Conn), nil
}

// Dial opens a connection to url, whose scheme is ws, wss, http or https, and
// returns it in the role of the client, along with the server's response. nil
// options are the defaults. ctx bounds the handshake alone. A server that
// refuses gives a *handshake.DialError; the response is returned with it.
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, *http.Response, error) {
	if o == nil {
		o = &DialOptions{}
	}
	hs, response, err := handshake.Dial(ctx, url, &o.Handshake)
	if err != nil {
		return nil, response, err
	}
	return New(hs, RoleClient, &o.Conn), response, nil
}

// CloseRead is for those who only write. A goroutine reads from now on, so
// that Pings are answered and the end is noticed; the returned ctx ends when
// the connection does, or when ctx does, which ends the reading. A message
// from the peer fails the connection with 1008 (policy violation).
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		cancel(c.Each(ctx, func(Message) error {
			c.Close(frame.StatusPolicyViolation, "no message expected")
			return errNotExpected
		}))
	}()
	return ctx
}
