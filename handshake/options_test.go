package handshake

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestResponseHeader: the user's fields go out after ours, in a fixed order.
func TestResponseHeader(t *testing.T) {
	o := &Options{
		Header: http.Header{"X-B": {"1", "2"}, "X-A": {"\ttab"}},
		Before: func(*http.Request) (http.Header, error) {
			return http.Header{"Set-Cookie": {"a=b"}}, nil
		},
	}
	acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
		want := "Sec-WebSocket-Accept: " + sampleAccept + "\r\nX-A: \ttab\r\nX-B: 1\r\nX-B: 2\r\nSet-Cookie: a=b\r\n\r\n"
		if err != nil || !strings.HasSuffix(c.out.String(), want) {
			t.Errorf("%s: %v, response %q, want the end %q", path, err, c.out.String(), want)
		}
	})
}

// badHeaders are what no field may be.
var badHeaders = []http.Header{
	{"X": {"a\r\nY: b"}}, {"X": {"a\nb"}}, {"X": {"a\rb"}}, {"X": {"a\x00b"}}, {"X": {"good", "\x7F"}},
	{"X\r\nY": {"a"}}, {"X:": {"a"}}, {"X Y": {"a"}}, {"": {"a"}}, {"X\x00": {"a"}}, {"\u00E4": {"a"}},
	{"Upgrade": {"h2c"}}, {"connection": {"close"}}, {"Sec-WebSocket-Accept": {"x"}}, {"Sec-Websocket-Protocol": {"x"}},
	{"sec-websocket-extensions": {"x"}}, {"Content-Length": {"1"}}, {"Transfer-Encoding": {"chunked"}}, {"Trailer": {"x"}}, {"Host": {"x"}},
}

// TestBadOptions: options that can't be meant are refused with 500, and nothing
// of them is sent.
func TestBadOptions(t *testing.T) {
	var options []*Options
	for _, h := range badHeaders {
		options = append(options,
			&Options{Header: h},
			&Options{Before: func(*http.Request) (http.Header, error) { return h, nil }},
			&Options{Before: func(*http.Request) (http.Header, error) { return nil, &Error{Status: 401, Header: h} }})
	}
	for _, p := range [][]string{{""}, {"a b"}, {"a\r\nb"}, {"a,b"}, {"a\x00"}, {"a", "a"}, {"\u00E4"}} {
		options = append(options, &Options{Subprotocols: p})
	}
	options = append(options, &Options{Deflate: &DeflateOptions{ServerMaxWindowBits: 7}})
	for _, status := range []int{0, -1, 101, 200, 600, 1000} {
		options = append(options, &Options{Before: func(*http.Request) (http.Header, error) { return nil, &Error{Status: status} }})
	}
	for _, o := range options {
		acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
			out := bytes.ToLower(bytes.Clone(c.out.Bytes()))
			wantRefusal(t, path, c, err, http.StatusInternalServerError)
			if bytes.Contains(out, []byte("x:")) || bytes.Contains(out, []byte("h2c")) || bytes.Contains(out, []byte("y:")) {
				t.Errorf("%s: options %+v: response %q", path, o, out)
			}
		})
	}
}

// TestBefore: a hook's refusal goes out as it says; other errors stay here.
func TestBefore(t *testing.T) {
	errSecret := errors.New("secret")
	for _, tt := range []struct {
		err    error
		status int
		body   string
		header string
	}{
		{&Error{Status: 401, Reason: "who?", Header: http.Header{"Www-Authenticate": {"Basic"}}, Err: errSecret}, 401, "who?\n", "Basic"},
		{&Error{Status: 429}, 429, "Too Many Requests\n", ""},
		{&Error{Status: 300, Err: errSecret}, 300, "Multiple Choices\n", ""},
		{&Error{Status: 599, Reason: "gone", Err: errSecret}, 599, "gone\n", ""},
		{&Error{Status: 299, Err: errSecret}, 500, "Internal Server Error\n", ""},
		{&Error{Status: 600, Err: errSecret}, 500, "Internal Server Error\n", ""},
		{errSecret, 403, "Forbidden\n", ""},
		{errors.Join(errSecret, &Error{Status: 503, Err: errSecret}), 503, "Service Unavailable\n", ""},
	} {
		o := &Options{Before: func(*http.Request) (http.Header, error) { return nil, tt.err }}
		acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
			if strings.Contains(c.out.String(), "secret") {
				t.Errorf("%s: response %q", path, c.out.String())
			}
			body := c.out.String()[strings.Index(c.out.String(), "\r\n\r\n")+4:]
			resp := wantRefusal(t, path, c, err, tt.status)
			if body != tt.body || resp.Header.Get("WWW-Authenticate") != tt.header {
				t.Errorf("%s: %v gave %q, %v", path, tt.err, body, resp.Header)
			}
			if tt.status != 429 && !errors.Is(err, errSecret) {
				t.Errorf("%s: %v lost its cause", path, err)
			}
		})
	}
}

// TestBeforeIsLast: the hook sees no request that is refused anyway.
func TestBeforeIsLast(t *testing.T) {
	o := &Options{Before: func(*http.Request) (http.Header, error) {
		t.Error("hook was called")
		return nil, nil
	}}
	for _, in := range []string{without("Upgrade"), without("Sec-WebSocket-Key"), sample("Origin: http://evil.example\r\n")} {
		acceptBoth(t, in, o, func(*testing.T, string, *Result, *memConn, error) {})
	}
}

// TestErrorText: the status, the reason and the cause.
func TestErrorText(t *testing.T) {
	e := &Error{Status: 401, Reason: "no token", Err: errors.New("database is away")}
	if got, want := e.Error(), "websocket: accept: 401 Unauthorized: no token: database is away"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
