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

// TestDialGlued: bytes after the 101 are kept, however they arrive.
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

// A stuckConn has read deadlines alone that can be set.
type stuckConn struct{ net.Conn }

func (stuckConn) SetDeadline(time.Time) error { return errConn }

// TestDialStuck: a connection whose deadline can't be taken back, which would fail at its next
// read, is an error of Dial, and closed.
func TestDialStuck(t *testing.T) {
	gone := make(chan struct{})
	client := scripted(func(nc net.Conn, r *http.Request) {
		io.WriteString(nc, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r))+"\r\n")
		io.Copy(io.Discard, nc) // ends when the connection does
		close(gone)
	})
	tr := client.Transport.(*http.Transport)
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		return stuckConn{nc}, err
	}
	res, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
	if !errors.Is(err, errConn) {
		t.Errorf("error %v, want %v", err, errConn)
	}
	if err == nil {
		res.Conn.Close()
	}
	<-gone
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
// deadlines, or wraps the body, gives a connection whose reads have deadlines
// all the same, and whose writes have those of the connection, if there are any.
func TestDialStranger(t *testing.T) {
	whole := func(nc net.Conn) io.ReadCloser { return nc }
	for _, tt := range []struct {
		name          string
		body          func(nc net.Conn) io.ReadCloser
		trace         func(nc net.Conn) net.Conn
		local, remote string
		closeWrite    bool
		deadline      error // of writes
	}{
		{
			"unknown", func(nc net.Conn) io.ReadCloser { return plainBody{nc} }, func(net.Conn) net.Conn { return nil },
			"", "example.com:81", false, os.ErrNoDeadline,
		},
		{"without deadlines", whole, func(nc net.Conn) net.Conn { return noDeadlines{nc} }, "a", "b", true, os.ErrNoDeadline},
		{"wrapped", func(nc net.Conn) io.ReadCloser { return plainBody{nc} }, func(nc net.Conn) net.Conn { return nc }, "a", "b", false, nil},
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
			if err := nc.SetReadDeadline(past); err != nil {
				t.Error(err)
			}
			if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read past the deadline: %v", err)
			}
			for _, err := range []error{nc.SetWriteDeadline(past), nc.SetDeadline(time.Time{})} {
				if !errors.Is(err, tt.deadline) {
					t.Errorf("deadline: %v, want %v", err, tt.deadline)
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
			if err := nc.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed again: %v", err)
			}
		})
	}
}

// TestDrain: what reading the buffer may come upon.
func TestDrain(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	deadline := iotest.ErrReader(os.ErrDeadlineExceeded)
	for _, tt := range []struct {
		name string
		in   io.Reader
		want string
		err  error
	}{
		{"nothing", deadline, "", nil},
		{"something", io.MultiReader(strings.NewReader("x"), deadline), "x", nil},
		{"more than one read", io.MultiReader(strings.NewReader(long), deadline), long, nil},
		{"something, then the end", strings.NewReader("x"), "x", nil},
		{"the end", strings.NewReader(""), "", io.EOF},
		{"an error", iotest.ErrReader(errConn), "", errConn},
	} {
		c := newBodyConn(readOnly{tt.in}, newMemConn(""), "")
		got, drained, err := c.drain(t.Context())
		if string(got) != tt.want || err != tt.err || drained != (err == nil) {
			t.Errorf("%s: %q, %v, %v, want %q, %v", tt.name, got, drained, err, tt.want, tt.err)
		}
	}
}

// TestDrainOverdue: reading the buffer ends in time where the connection ignores its
// deadlines, or is a socket that the body does not read from. The read that is still under
// way then brings what comes next, and not the error of a deadline that was ours.
func TestDrainOverdue(t *testing.T) {
	for _, tt := range []struct {
		name string
		nc   net.Conn
		in   int // bytes that come before the body has none
		want time.Duration
	}{
		{"silent", newMemConn(""), 0, 100 * time.Millisecond},
		{"much", newMemConn(""), 64<<10 - 1, 100 * time.Millisecond},
		{"too much", newMemConn(""), 64 << 10, 0},
		{"socket, silent", new(net.TCPConn), 0, 2 * time.Second},
		{"socket, much", new(net.TCPConn), 1 << 20, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan func([]byte) (int, error), 2)
				next := readStep(func(p []byte) (int, error) { return (<-gate)(p) })
				c := newBodyConn(readOnly{io.MultiReader(strings.NewReader(strings.Repeat("x", tt.in)), next)}, tt.nc, "")
				start := time.Now()
				got, drained, err := c.drain(t.Context())
				if took := time.Since(start); len(got) != tt.in || drained || err != nil || took != tt.want {
					t.Errorf("%d bytes, %v, %v after %v, want %d after %v", len(got), drained, err, took, tt.in, tt.want)
				}
				if tt.want > 0 {
					gate <- brings("", os.ErrDeadlineExceeded)
				}
				gate <- brings("next", nil)
				b := make([]byte, 10)
				if n, err := c.Read(b); string(b[:n]) != "next" || err != nil {
					t.Errorf("then %q, %v", b[:n], err)
				}
			})
		})
	}
}

// readOnly is a reader as a body.
type readOnly struct{ io.Reader }

func (readOnly) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (readOnly) Close() error              { return nil }
