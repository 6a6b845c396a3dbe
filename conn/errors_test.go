package conn_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

func TestCloseErrorText(t *testing.T) {
	for want, err := range map[string]*conn.CloseError{
		"websocket: closed by the peer: 1001 going away":              {Code: frame.StatusGoingAway},
		`websocket: closed by the peer: 3000: "a \"reason\"\u2028\n"`: {Code: 3000, Reason: "a \"reason\"\u2028\n"},
		"websocket: closed by the peer: 1005 no status":               {Code: frame.StatusNoStatus},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A PanicError tells a panic from the end of a goroutine, which has no value.
func TestPanicErrorText(t *testing.T) {
	for want, err := range map[string]*conn.PanicError{
		"panic: a value": {Value: "a value"},
		"the goroutine was ended by runtime.Goexit": {},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A Conn tells what the handshake agreed on, if anything, and the addresses of its stream.
func TestConnTells(t *testing.T) {
	for _, want := range []string{"chat", ""} {
		server, client := wstest.Pipe(&wstest.PipeOptions{Subprotocol: want})
		defer server.CloseNow()
		defer client.CloseNow()
		for _, c := range []*conn.Conn{server, client} {
			if got := c.Subprotocol(); got != want {
				t.Errorf("subprotocol %q, want %q", got, want)
			}
		}
		if server.LocalAddr() != client.RemoteAddr() || server.RemoteAddr() != client.LocalAddr() {
			t.Errorf("addresses %v %v, %v %v", server.LocalAddr(), server.RemoteAddr(), client.LocalAddr(), client.RemoteAddr())
		}
	}
}

// CloseStatus knows the status code of every end.
func TestCloseStatus(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want frame.StatusCode
	}{
		{nil, 0},
		{context.Canceled, 0},
		{net.ErrClosed, 0},
		{fmt.Errorf("wrapped: %w", &conn.CloseError{Code: 4000}), 4000},
		{&conn.CloseError{Code: frame.StatusNoStatus}, frame.StatusNoStatus},
		{fmt.Errorf("wrapped: %w", &frame.Error{Code: frame.StatusMessageTooBig}), frame.StatusMessageTooBig},
		{conn.ErrQueueFull, frame.StatusTryAgainLater},
		{conn.ErrAbandoned, frame.StatusInternalError},
		{io.ErrUnexpectedEOF, frame.StatusAbnormal},
		{fmt.Errorf("wrapped: %w", conn.ErrDeadPeer), frame.StatusAbnormal},
		{conn.ErrStalled, frame.StatusAbnormal},
		{os.ErrDeadlineExceeded, 0},
	} {
		if got := conn.CloseStatus(tt.err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}

// A message has one of two types.
func TestMessageTypeText(t *testing.T) {
	if conn.Text.String() != "text" || conn.Binary.String() != "binary" {
		t.Errorf("%v, %v", conn.Text, conn.Binary)
	}
}
