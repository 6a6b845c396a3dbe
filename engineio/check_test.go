package engineio_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
)

// Options that are wrong are refused where they are given, with the field, its
// value, and what to write instead.
func TestWrongOptions(t *testing.T) {
	open := func(*engineio.Session) engineio.Receiver { return nil }
	limits := func(l engineio.Limits) engineio.Options { return engineio.Options{Limits: l} }
	origins := func(credentials bool, o ...string) engineio.Options {
		return engineio.Options{CORS: &engineio.CORS{Origins: o, Credentials: credentials}}
	}
	cookie := func(c http.Cookie) engineio.Options { return engineio.Options{Cookie: &c} }
	const day = 24 * time.Hour
	for _, tt := range []struct {
		o           engineio.Options
		field, text string
	}{
		{engineio.Options{Path: "engine.io/"}, `Path is "engine.io/"`, `"/engine.io/"`},
		{engineio.Options{Path: "/a?b"}, `Path is "/a?b"`, "no query"},
		{engineio.Options{Path: "/a#b"}, `Path is "/a#b"`, "no fragment"},
		{engineio.Options{Path: "/a//b/"}, `Path is "/a//b/"`, `"/a/b"`},
		{engineio.Options{Path: "/a/../b"}, `Path is "/a/../b"`, `"/b"`},
		{engineio.Options{Path: "//"}, `Path is "//"`, `"/"`},
		{limits(engineio.Limits{MaxPayload: 5}), "Limits.MaxPayload is 5", "6 bytes"},
		{limits(engineio.Limits{QueueBytes: 511}), "Limits.QueueBytes is 511", "512 bytes"},
		{limits(engineio.Limits{PingInterval: -1}), "Limits.PingInterval is -1ns", "can't be turned off"},
		{limits(engineio.Limits{PingTimeout: -time.Second}), "Limits.PingTimeout is -1s", "can't be turned off"},
		{limits(engineio.Limits{PingInterval: 25}), "Limits.PingInterval is 25ns", "1ms is the least"},
		{limits(engineio.Limits{PingTimeout: time.Millisecond - 1}), "Limits.PingTimeout is 999.999µs", "1ms is the least"},
		{limits(engineio.Limits{PingInterval: 24*day + 1}), "Limits.PingInterval is 576h0m0.000000001s", "24 days"},
		{limits(engineio.Limits{PingTimeout: 1<<63 - 1}), "Limits.PingTimeout is 2562047h", "24 days"},
		{limits(engineio.Limits{PingInterval: 23 * day, PingTimeout: day + 1}), "Limits.PingInterval is 552h0m0s", "more than 24 days"},
		{engineio.Options{Deflate: &handshake.DeflateOptions{ServerMaxWindowBits: 7}}, "Deflate.ServerMaxWindowBits is 7", "8 to 15"},
		{engineio.Options{Deflate: &handshake.DeflateOptions{ClientMaxWindowBits: 16}}, "Deflate.ClientMaxWindowBits is 16", "8 to 15"},
		{cookie(http.Cookie{Name: "a b"}), `Cookie is "a b"`, "invalid Cookie.Name"},
		{cookie(http.Cookie{Domain: "a b"}), `Cookie is "io"`, "invalid Cookie.Domain"},
		{cookie(http.Cookie{Path: "/a;b"}), `Cookie is "io"`, "invalid"},
		{cookie(http.Cookie{Partitioned: true}), `Cookie is "io"`, "Secure"},
		{cookie(http.Cookie{Value: "x"}), `Cookie.Value is "x"`, "must be empty"},
		{cookie(http.Cookie{SameSite: http.SameSiteNoneMode}), `Cookie.SameSite is "None"`, "Secure"},
		{origins(true, "*"), `CORS.Origins[0] is "*"`, "list the origins, or set Credentials to false"},
		{origins(true, "https://a.example", "*"), `CORS.Origins[1] is "*"`, "list the origins"},
		{origins(false, "https://a.example", "https://b.example/path"), `CORS.Origins[1] is "https://b.example/path"`, "without a path"},
		{origins(false, "https://b.example//"), `CORS.Origins[0] is "https://b.example//"`, "pattern"},
		{origins(false, ""), `CORS.Origins[0] is ""`, "pattern"},
		{origins(false, "/"), `CORS.Origins[0] is "/"`, "pattern"},
		{origins(false, "https://"), `CORS.Origins[0] is "https://"`, "pattern"},
		{origins(true, "HTTPS://*"), `CORS.Origins[0] is "HTTPS://*"`, "list the origins"},
		{origins(true, "http://*/"), `CORS.Origins[0] is "http://*/"`, "list the origins"},
		{origins(false, "https://*:81"), `CORS.Origins[0] is "https://*:81"`, "pattern"},
		{origins(false, "*://a.example"), `CORS.Origins[0] is "*://a.example"`, "pattern"},
		{engineio.Options{CORS: &engineio.CORS{Methods: []string{"GET, POST"}}}, `CORS.Methods[0] is "GET, POST"`, "method"},
		{engineio.Options{CORS: &engineio.CORS{Exposed: []string{""}}}, `CORS.Exposed[0] is ""`, "header field"},
		{engineio.Options{CORS: &engineio.CORS{MaxAge: -time.Second}}, "CORS.MaxAge is -1s", "whole seconds"},
		{engineio.Options{CORS: &engineio.CORS{MaxAge: time.Millisecond}}, "CORS.MaxAge is 1ms", "whole seconds"},
		{engineio.Options{Transports: []string{}}, `Transports is "empty"`, "no client could connect"},
		{engineio.Options{Transports: []string{"polling", "webtransport"}}, `Transports[1] is "webtransport"`, `"websocket"`},
		{origins(false, "https://a.example, https://b.example"), `CORS.Origins[0] is "https://a.example, https://b.example"`, "pattern"},
		{engineio.Options{CORS: &engineio.CORS{Headers: []string{"X-A", "X-B, X-C"}}}, `CORS.Headers[1] is "X-B, X-C"`, "header field"},
		{engineio.Options{CORS: &engineio.CORS{Headers: []string{"X@A"}}}, `CORS.Headers[0] is "X@A"`, "header field"},
		{engineio.Options{CORS: &engineio.CORS{Headers: []string{""}}}, `CORS.Headers[0] is ""`, "header field"},
		{engineio.Options{CORS: &engineio.CORS{Headers: []string{"X{A"}}}, `CORS.Headers[0] is "X{A"`, "header field"},
		{engineio.Options{CORS: &engineio.CORS{Headers: []string{"é"}}}, `CORS.Headers[0] is "é"`, "header field"},
	} {
		s, err := engineio.NewServer(open, &tt.o)
		if err == nil || s != nil {
			t.Errorf("no error, want one about %s", tt.field)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, "engine.io: Options."+tt.field) || !strings.Contains(got, tt.text) {
			t.Errorf("got  %s\nwant engine.io: Options.%s: ... %s", got, tt.field, tt.text)
		}
	}
	if s, err := engineio.NewServer(nil, nil); err == nil || s != nil || !strings.Contains(err.Error(), "open is nil") {
		t.Errorf("without open: %v", err)
	}
}

// What is unusual and right is taken.
func TestRightOptions(t *testing.T) {
	const day = 24 * time.Hour
	for i, o := range []engineio.Options{
		{Path: "/"},
		{Path: "/a/b/"},
		{Limits: engineio.Limits{MaxPayload: 6, QueueBytes: 512, PingInterval: time.Millisecond, PingTimeout: 24*day - time.Millisecond, UpgradeTimeout: 1}},
		{Limits: engineio.Limits{MaxPayload: 1<<63 - 1, QueueBytes: int(^uint(0) >> 1), UpgradeTimeout: 1<<63 - 1}},
		{CORS: &engineio.CORS{}},
		{CORS: &engineio.CORS{Origins: []string{"null", "https://*.example.com:*", "localhost:5173", "http://[::1]:80/"}, Credentials: true, Headers: []string{"X-A", "*", "09azAZ!#$%&'*+-.^_`|~"}}},
		{Cookie: &http.Cookie{SameSite: http.SameSiteNoneMode, Secure: true}},
		{Deflate: &handshake.DeflateOptions{ServerMaxWindowBits: 8, ClientMaxWindowBits: 15}},
	} {
		if _, err := engineio.NewServer(func(*engineio.Session) engineio.Receiver { return nil }, &o); err != nil {
			t.Errorf("options %d: %v", i, err)
		}
	}
}

// With the least values that are taken a client connects on either transport.
func TestLeastLimits(t *testing.T) {
	inBubble(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 6, QueueBytes: 512}}, func(s *site) {
		sid, w := s.upgraded()
		w.send("4hello")
		w.want("4hello")
		s.wantPost(sid, "4a", 400, badRequest)
		w = s.openWebSocket()
		w.send("4hello")
		w.want("4hello")
	})
}

// A slash at the end of an origin is forgiven, on both transports, and a Server
// does not write to the options that it was given.
func TestOriginWithSlash(t *testing.T) {
	o := &engineio.Options{CORS: &engineio.CORS{Origins: []string{"https://app.example/", "https://admin.example"}, Credentials: true}}
	inBubble(t, o, func(s *site) {
		for _, origin := range []string{"https://app.example", "https://admin.example"} {
			r := s.must("GET", "transport=polling", "", "Origin", origin)
			if got := r.header.Get("Access-Control-Allow-Origin"); got != origin {
				t.Errorf("%s on polling: allowed %q", origin, got)
			}
			if _, _, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket", "Origin", origin); err != nil {
				t.Errorf("%s on WebSocket: %v", origin, err)
			}
		}
	})
	if got := fmt.Sprintf("%q %q %d", o.CORS.Origins, o.Path, o.Limits.MaxPayload); got != `["https://app.example/" "https://admin.example"] "" 0` {
		t.Errorf("the options have become %s", got)
	}
}

// Whoever changes the options later changes nothing.
func TestOptionsAreCopied(t *testing.T) {
	o := &engineio.Options{Cookie: &http.Cookie{Name: "a"}, CORS: &engineio.CORS{Origins: []string{"https://a.example"}, Headers: []string{"X-A"}}, Transports: []string{"polling"}}
	inBubble(t, o, func(s *site) {
		o.Path, o.Cookie.Name, o.CORS.Origins[0], o.CORS.Headers[0], o.Transports[0] = "/b/", "b", "https://b.example", "X-B", "websocket"
		r := s.must("GET", "transport=polling", "", "Origin", "https://a.example")
		if got := r.header; !strings.HasPrefix(got.Get("Set-Cookie"), "a=") || got.Get("Access-Control-Allow-Origin") != "https://a.example" {
			t.Errorf("the answer has %v", got)
		}
		r = s.must("OPTIONS", "transport=polling", "")
		if got := r.header.Get("Access-Control-Allow-Headers"); got != "X-A" {
			t.Errorf("allowed fields %q", got)
		}
	})
}
