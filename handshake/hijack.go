package handshake

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// hijack takes the connection over from net/http. Its error names the type of the
// writer that prevents it, which is usually middleware's.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", whyNotHijacked(w), err)
	}
	return nc, rw, nil
}

// whyNotHijacked follows the writers down, as http.ResponseController does, to the
// one whose Hijack failed or that has no Hijack.
func whyNotHijacked(w http.ResponseWriter) string {
	path := fmt.Sprintf("%T", w)
	for {
		switch v := w.(type) {
		case http.Hijacker:
			return path + ".Hijack"
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
			path += fmt.Sprintf(", which wraps %T", w)
		case nil:
			return path
		default:
			return path + " has no Hijack method; if it wraps another writer, a method Unwrap() http.ResponseWriter would reveal that one"
		}
	}
}

// notHijacked returns the refusal for an error of hijack. It returns nil if the
// connection has been taken over before: the refusal could not be sent.
func notHijacked(err error) (refusal *Error) {
	if errors.Is(err, http.ErrHijacked) {
		return nil
	}
	return &Error{Status: http.StatusNotImplemented, Reason: "connection can't be taken over", Err: err}
}
