package conn

import (
	"context"
	"fmt"
	"net/http"

	"github.com/parleyws/parley/handshake"
)

// Accept answers the upgrade request r and returns the connection, in the role
// of the server. nil options are the defaults. When it fails a refusal has been
// written already and the error is a *handshake.Error, or the stream is closed.
//
// The connection outlives the handler, but r.Context() ends with it. A handler
// that stays to serve the connection keeps the buffers and the stack of
// net/http's for it; Server avoids that.
func Accept(w http.ResponseWriter, r *http.Request, o *AcceptOptions) (*Conn, error) {
	if o == nil {
		o = &AcceptOptions{}
	}
	s, err := o.Conn.settings()
	if err != nil {
		return nil, refuse(w, err)
	}
	return accept(w, r, &o.Handshake, s)
}

// accept is Accept with options that have been judged.
func accept(w http.ResponseWriter, r *http.Request, o *handshake.Options, s *settings) (*Conn, error) {
	hs, err := handshake.Accept(w, r, o)
	if err != nil {
		return nil, err
	}
	hs.Conn = s.loop.enter(hs.Conn)
	return newConn(hs, RoleServer, s), nil
}

// refuse answers a request that can't be accepted for a fault of ours.
func refuse(w http.ResponseWriter, err error) error {
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	return &handshake.Error{Status: http.StatusInternalServerError, Err: err}
}

// Dial opens a connection to url, whose scheme is ws, wss, http or https, and
// returns it in the role of the client, along with the server's response. nil
// options are the defaults. ctx bounds the handshake alone. A server that
// refuses gives a *handshake.DialError; the response is returned with it.
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, *http.Response, error) {
	if o == nil {
		o = &DialOptions{}
	}
	s, err := o.Conn.settings()
	if err != nil {
		return nil, nil, fmt.Errorf("websocket: dial: %w", err)
	}
	hs, response, err := handshake.Dial(ctx, url, &o.Handshake)
	if err != nil {
		return nil, response, err
	}
	hs.Conn = s.loop.enter(hs.Conn)
	return newConn(hs, RoleClient, s), response, nil
}
