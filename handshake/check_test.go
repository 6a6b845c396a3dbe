package handshake

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// badOptions are options that can't be meant, and what is said of them: the
// field, and the value in it.
var badOptions = []struct {
	name    string
	options Options
	want    string
}{
	{"header name", Options{Header: http.Header{"X Y": {"a"}}}, `Options.Header: "X Y" is not a field name`},
	{"header value", Options{Header: http.Header{"X": {"good", "a\r\nY: b"}}}, `Options.Header: X is "a\r\nY: b", which has a control character`},
	{"header of ours", Options{Header: http.Header{"Upgrade": {"h2c"}}}, "Options.Header: the handshake itself sets the field: Upgrade"},
	{"subprotocol", Options{Subprotocols: []string{"a", "b c"}}, `Options.Subprotocols: "b c" is not a token`},
	{"subprotocol empty", Options{Subprotocols: []string{""}}, `Options.Subprotocols: "" is not a token`},
	{"subprotocol twice", Options{Subprotocols: []string{"a", "b", "a"}}, `Options.Subprotocols: "a" is listed twice`},
	{"server's window bits", Options{Deflate: &DeflateOptions{ServerMaxWindowBits: 7}}, "Options.Deflate: ServerMaxWindowBits is 7, want 8 to 15, or less than 1 for no bound"},
	{"client's window bits", Options{Deflate: &DeflateOptions{ClientMaxWindowBits: 16}}, "Options.Deflate: ClientMaxWindowBits is 16, want 8 to 15, or less than 1 for no bound"},
	{"origin", Options{Origins: []string{"http://"}}, `Options.Origins: malformed pattern "http://"`},
	{"origin after one that matches", Options{Origins: []string{"*", "https://evil.example", "exa mple.com"}}, `Options.Origins: malformed pattern "exa mple.com"`},
	{"origin besides CheckOrigin", Options{Origins: []string{"a/b"}, CheckOrigin: func(*http.Request) bool { return true }}, `Options.Origins: malformed pattern "a/b"`},
	{"long", Options{Subprotocols: []string{strings.Repeat(" ", 300)}}, `Options.Subprotocols: "` + strings.Repeat(" ", 256) + `"... is not a token`},
}

// TestCheck: options that can't be meant are told, with field and value, by
// Check, and with a 500 by both functions that accept, whatever the request has,
// be it good, from an origin that is allowed, or malformed. The peer is told
// nothing of them.
func TestCheck(t *testing.T) {
	requests := []string{
		sample(""), sample("Origin: http://example.com\r\n"), sample("Origin: https://evil.example\r\n"), sample("Origin: null\r\nOrigin: x\r\n"),
		without("Upgrade"), without("Sec-WebSocket-Key"), strings.Replace(sample(""), "GET", "PUT", 1), strings.Replace(sample(""), "1.1", "1.0", 1),
	}
	malformed := []string{"\r\n", "GET / HTTP/1.1\r\nX\r\n\r\n", strings.Repeat("x", 9<<10)}
	for _, tt := range badOptions {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.options.Check(); err == nil || err.Error() != "websocket: "+tt.want {
				t.Errorf("Check: %v, want %s", err, tt.want)
			}
			check := func(t *testing.T, path string, _ *Result, c *memConn, err error) {
				wantRefusal(t, path, c, err, http.StatusInternalServerError)
				if want := "websocket: accept: 500 Internal Server Error: " + tt.want; err.Error() != want {
					t.Errorf("%s: error %q, want %q", path, err, want)
				}
			}
			for _, in := range requests {
				acceptBoth(t, in, &tt.options, check)
			}
			for _, in := range malformed {
				c := newMemConn(in)
				_, err := AcceptConn(c, &tt.options)
				check(t, "raw", nil, c, err)
			}
		})
	}
}

// TestCheckGood: options that can be meant.
func TestCheckGood(t *testing.T) {
	for _, o := range []*Options{
		nil, {},
		{Limits: Limits{-1, -1, -1, -1}},
		{Deflate: new(DeflateOptions)},
		{Deflate: &DeflateOptions{ServerMaxWindowBits: -1, ClientMaxWindowBits: 8}},
		{Subprotocols: []string{"a", "b"}, Header: http.Header{"X": nil, "Y": {""}}, Origins: []string{"*", "null", "*.example.com:*", "chrome-extension://x"}},
	} {
		if err := o.Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestBeforeBad: what a hook returns and can't be sent is told, and its own error
// with it.
func TestBeforeBad(t *testing.T) {
	for _, tt := range []struct {
		header http.Header
		err    error
		want   string
	}{
		{http.Header{"X": {"\n"}}, nil, `Options.Before returned a header: X is "\n", which has a control character`},
		{nil, &Error{Status: 200, Err: errConn}, "Options.Before returned an *Error whose Status is 200, want 300 to 599: websocket: accept: 200 OK: connection fails"},
		{nil, &Error{Status: 401, Err: errConn, Header: http.Header{"Host": {"x"}}}, "Options.Before returned an *Error with a header: the handshake itself sets the field: Host: websocket: accept: 401 Unauthorized: connection fails"},
	} {
		o := &Options{Before: func(*http.Request) (http.Header, error) { return tt.header, tt.err }}
		acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
			wantRefusal(t, path, c, err, http.StatusInternalServerError)
			if want := "websocket: accept: 500 Internal Server Error: " + tt.want; err.Error() != want {
				t.Errorf("%s: error %q, want %q", path, err, want)
			}
			if tt.err != nil && !errors.Is(err, errConn) {
				t.Errorf("%s: %v lost its cause", path, err)
			}
		})
	}
}

// TestDialCheck: the client's options are told likewise, and nothing is sent.
func TestDialCheck(t *testing.T) {
	for _, tt := range []struct {
		options DialOptions
		want    string
	}{
		{DialOptions{Header: http.Header{"X": {"a\x00"}}}, `DialOptions.Header: X is "a\x00", which has a control character`},
		{DialOptions{Subprotocols: []string{"a b"}}, `DialOptions.Subprotocols: "a b" is not a token`},
		{DialOptions{Host: "a b"}, `DialOptions.Host: "a b" is not a host`},
		{DialOptions{Deflate: &DeflateOptions{ServerMaxWindowBits: 1}}, "DialOptions.Deflate: ServerMaxWindowBits is 1, want 8 to 15, or less than 1 for no bound"},
	} {
		tt.options.HTTPClient = &http.Client{Transport: failingTripper{t}}
		_, _, err := Dial(context.Background(), "ws://example.com/", &tt.options)
		if want := "websocket: dial: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("error %v, want %v", err, want)
		}
		if err := tt.options.Check("ws://example.com/"); err == nil || err.Error() != "websocket: "+tt.want {
			t.Errorf("Check: %v, want %v", err, tt.want)
		}
	}
	for _, tt := range []struct{ url, want string }{
		{"ftp://example.com/", `scheme "ftp" is none of ws, wss, http, https`},
		{"ws://user:secret@/x", `URL "ws://user:xxxxx@/x" has no host`},
		{"ws://example.com/#a", `URL has the fragment "a", want none`},
		{"ws://example.com/#", `URL has the fragment "", want none`},
	} {
		o := &DialOptions{HTTPClient: &http.Client{Transport: failingTripper{t}}}
		if _, _, err := Dial(t.Context(), tt.url, o); err == nil || err.Error() != "websocket: dial: "+tt.want {
			t.Errorf("%s: error %v, want %v", tt.url, err, tt.want)
		}
		for _, o := range []*DialOptions{nil, o} {
			if err := o.Check(tt.url); err == nil || err.Error() != "websocket: "+tt.want {
				t.Errorf("%s: Check: %v, want %v", tt.url, err, tt.want)
			}
		}
	}
	for _, o := range []*DialOptions{nil, {}} {
		if err := o.Check("wss://example.com/path?a b"); err != nil {
			t.Errorf("Check of what is right: %v", err)
		}
	}
}
