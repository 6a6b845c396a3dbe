package handshake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/octetwise"
	"github.com/parleyws/parley/internal/pipe"
)

// TestDialGlued: octets behind the 101 are kept, however they arrive.
func TestDialGlued(t *testing.T) {
	const frames = "\x81\x05Hello\x89\x00"
	full := strings.ReplaceAll(goodAnswer, "ACCEPT", sampleAccept) + "\r\n" + frames // in length
	for cut := range len(full) + 1 {
		for _, cutter := range []func(net.Conn) net.Conn{func(nc net.Conn) net.Conn { return nc }, octetwise.New} {
			client := scripted(func(nc net.Conn, r *http.Request) {
				defer nc.Close()
				nc = cutter(nc)
				out := strings.ReplaceAll(full, sampleAccept, acceptOf(r))
				io.WriteString(nc, out[:cut])
				io.WriteString(nc, out[cut:])
			})
			res, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			rest, err := io.ReadAll(res.Conn)
			if got := string(res.Buffered) + string(rest); got != frames || err != nil {
				t.Errorf("cut at %d: %q, %v behind the response, want %q", cut, got, err, frames)
			}
			res.Conn.Close()
		}
	}
}

// tripper is a function as an http.RoundTripper.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// stranger answers requests itself, with the body given.
func stranger(body io.ReadCloser, trace net.Conn) *http.Client {
	return &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		if trace != nil {
			httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{Conn: trace})
		}
		return &http.Response{
			StatusCode: http.StatusSwitchingProtocols,
			Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
				"Sec-Websocket-Accept": {acceptOf(asSent(r))}},
			Body: body,
		}, nil
	})}
}

// asSent returns the request as a server reads it.
func asSent(r *http.Request) *http.Request {
	var b bytes.Buffer
	r.Write(&b)
	sent, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		return r
	}
	return sent
}

// A plainBody is a body that can be written to, and no more.
type plainBody struct{ io.ReadWriteCloser }

// TestDialStranger: a RoundTripper that tells no connection, or one without
// deadlines, gives a connection without deadlines.
func TestDialStranger(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		body                 func(nc net.Conn) io.ReadCloser
		trace                func(nc net.Conn) net.Conn
		local, remote        string
		closeWrite, deadline bool
	}{
		{
			"unknown", func(nc net.Conn) io.ReadCloser { return plainBody{nc} }, func(net.Conn) net.Conn { return nil },
			"", "example.com:81", false, false,
		},
		{
			"without deadlines", func(nc net.Conn) io.ReadCloser { return nc.(io.ReadCloser) },
			func(nc net.Conn) net.Conn { return noDeadlines{nc} },
			"a", "b", true, false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pipe.New()
			defer b.Close()
			o := &DialOptions{HTTPClient: stranger(tt.body(a), tt.trace(a))}
			res, _, err := Dial(t.Context(), "ws://example.com:81/", o)
			if err != nil {
				t.Fatal(err)
			}
			nc := res.Conn
			if l, r := nc.LocalAddr(), nc.RemoteAddr(); l.String() != tt.local || r.String() != tt.remote || l.Network() == "" {
				t.Errorf("addresses %q and %q", l, r)
			}
			for _, err := range []error{nc.SetDeadline(past), nc.SetReadDeadline(past), nc.SetWriteDeadline(past)} {
				if !errors.Is(err, os.ErrNoDeadline) {
					t.Errorf("deadline: %v", err)
				}
			}
			io.WriteString(nc, "there")
			io.WriteString(b, "back")
			for _, end := range []struct {
				r    io.Reader
				want string
			}{{b, "there"}, {nc, "back"}} {
				got := make([]byte, len(end.want))
				if _, err := io.ReadFull(end.r, got); err != nil || string(got) != end.want {
					t.Errorf("%q, %v, want %q", got, err, end.want)
				}
			}
			if err := nc.(interface{ CloseWrite() error }).CloseWrite(); (err == nil) != tt.closeWrite {
				t.Errorf("CloseWrite: %v", err)
			}
			if err := nc.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDialNoConnection: a response that gives no connection away.
func TestDialNoConnection(t *testing.T) {
	o := &DialOptions{HTTPClient: stranger(io.NopCloser(strings.NewReader("x")), nil)}
	_, resp, err := Dial(t.Context(), "ws://example.com/", o)
	if e, ok := errors.AsType[*DialError](err); !ok || e.Status != http.StatusSwitchingProtocols || resp == nil {
		t.Errorf("%v, %v", resp, err)
	}
}

// deafConn takes deadlines and does not heed them.
type deafConn struct{ net.Conn }

// TestDialDeaf: ctx ends the wait for a connection that does not heed deadlines.
func TestDialDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer b.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: stranger(deafConn{a}, deafConn{a})})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if _, err := b.Write([]byte("x")); err == nil {
			t.Error("connection left open")
		}
	})
}

// TestDrain: what reading the buffer may come upon.
func TestDrain(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	for _, tt := range []struct {
		name string
		in   io.Reader
		want string
		err  error
	}{
		{"nothing", iotest.ErrReader(os.ErrDeadlineExceeded), "", nil},
		{"something", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(os.ErrDeadlineExceeded)), "x", nil},
		{"more than one read", io.MultiReader(strings.NewReader(long), iotest.ErrReader(os.ErrDeadlineExceeded)), long, nil},
		{"something, then the end", strings.NewReader("x"), "x", nil},
		{"the end", strings.NewReader(""), "", io.EOF},
		{"an error", iotest.ErrReader(errConn), "", errConn},
	} {
		got, err := drain(tt.in)
		if string(got) != tt.want || err != tt.err {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}
