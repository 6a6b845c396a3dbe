package handshake

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDialReasons: the error for a response says what the response has, quoted,
// and what it should have.
func TestDialReasons(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(goodAnswer, old, new, 1) + "\r\n" }
	with := func(fields string) string { return goodAnswer + fields + "\r\n" }
	status := func(line, fields string) string {
		return "HTTP/1.1 " + line + "\r\n" + fields + "Content-Length: 0\r\n\r\n"
	}
	offered := &DialOptions{Subprotocols: []string{"a", "b"}, Deflate: new(DeflateOptions)}
	from := &DialOptions{Header: http.Header{"Origin": {"http://here.example"}, "Authorization": {"secret"}}}
	const no = "the server did not switch protocols, want 101"
	const offer = `"permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"`
	for _, tt := range []struct {
		name    string
		options *DialOptions
		answer  string
		want    string
	}{
		{"no Upgrade", nil, replace("Upgrade: websocket\r\n", ""), `no Upgrade field, want "websocket"`},
		{"other Upgrade", nil, replace("websocket", "h2c"), `Upgrade is "h2c", want "websocket"`},
		{"empty Upgrade", nil, replace("websocket", ""), `Upgrade is "", want "websocket"`},
		{"two Upgrades", nil, replace("Connection", "Upgrade: h2c\r\nConnection"), `2 Upgrade fields, "websocket" and "h2c", want one field with "websocket"`},
		{"no Connection", nil, replace("Connection: Upgrade\r\n", ""), `no Connection field, want "Upgrade"`},
		{"other Connection", nil, replace("Connection: Upgrade", "Connection: close"), `Connection is "close", want "Upgrade"`},
		{"Connection: keep-alive", nil, replace("Connection: Upgrade", "Connection: keep-alive"), `Connection is "keep-alive", want "Upgrade"`},
		{"no Connection, HTTP/1.0", nil, strings.NewReplacer("1.1", "1.0", "Connection: Upgrade\r\n", "").Replace(goodAnswer) + "\r\n", `no Connection field, want "Upgrade"`},
		{"other Connection, HTTP/1.0", nil, strings.NewReplacer("1.1", "1.0", "Connection: Upgrade", "Connection: h2c").Replace(goodAnswer) + "\r\n", `Connection is "h2c", want "Upgrade"`},
		{"no Accept", nil, replace("Sec-WebSocket-Accept: ACCEPT\r\n", ""), `no Sec-WebSocket-Accept field, want "KEY", which answers the key`},
		{"other Accept", nil, replace("ACCEPT", sampleAccept), `Sec-WebSocket-Accept is "` + sampleAccept + `", want "KEY", which answers the key`},
		{"two Accepts", nil, with("Sec-WebSocket-Accept: x\r\n"), `2 Sec-WebSocket-Accept fields, "KEY" and "x", want one field with "KEY", which answers the key`},
		{"empty subprotocol", offered, with("Sec-WebSocket-Protocol:\r\n"), `Sec-WebSocket-Protocol is "", want one of "a", "b", which were offered, or no such field`},
		{"other subprotocol", offered, with("Sec-WebSocket-Protocol: c\r\n"), `Sec-WebSocket-Protocol is "c", want one of "a", "b", which were offered, or no such field`},
		{"two subprotocols", offered, with("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n"), `2 Sec-WebSocket-Protocol fields, "a" and "b", want one field with one of "a", "b", which were offered, or no such field`},
		{"empty subprotocol, none offered", nil, with("Sec-WebSocket-Protocol:\r\n"), `Sec-WebSocket-Protocol is "", want no such field, for no subprotocol was offered`},
		{"extensions malformed", offered, with("Sec-WebSocket-Extensions: foo bar\r\n"), `Sec-WebSocket-Extensions is "foo bar": extension "foo" was not offered`},
		{"extensions no list", offered, with("Sec-WebSocket-Extensions: =\r\n"), `Sec-WebSocket-Extensions is "=": not a list of extensions`},
		{"extensions empty", offered, with("Sec-WebSocket-Extensions:\r\n"), `Sec-WebSocket-Extensions is "": not a list of extensions`},
		{"extension not offered", nil, with("Sec-WebSocket-Extensions: permessage-deflate\r\n"), `Sec-WebSocket-Extensions is "permessage-deflate": extension "permessage-deflate" was not offered`},
		{"extension twice", offered, with("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n"), `Sec-WebSocket-Extensions is "permessage-deflate, permessage-deflate": permessage-deflate is there twice, want it once`},
		{"extension illegal", offered, with("Sec-WebSocket-Extensions: permessage-deflate; x\r\n"), `Sec-WebSocket-Extensions is "permessage-deflate; x": illegal parameters of permessage-deflate, which was offered as ` + offer},
		{"200", nil, status("200 OK", "Content-Type: text/html\r\n"), no + `, Content-Type is "text/html"; the Upgrade field of the request was ignored`},
		{"200, no type", nil, status("204 No Content", ""), no + "; the Upgrade field of the request was ignored"},
		{"301", nil, status("301 Moved", "Location: https://other.example/\r\n"), `the server redirects to Location "https://other.example/", want 101; it is followed only if HTTPClient.CheckRedirect is set`},
		{"307", nil, status("307 Temporary Redirect", "Location: /b\r\n"), `the server redirects to Location "/b", want 101; it is followed only if HTTPClient.CheckRedirect is set`},
		{"300", nil, status("300 Multiple Choices", "Location: /b\r\n"), `the server redirects to Location "/b", want 101; it is followed only if HTTPClient.CheckRedirect is set`},
		{"399", nil, status("399 Unknown", "Location: /b\r\n"), `the server redirects to Location "/b", want 101; it is followed only if HTTPClient.CheckRedirect is set`},
		{"299", nil, status("299 Unknown", ""), no + "; the Upgrade field of the request was ignored"},
		{"299 with a Location", nil, status("299 Unknown", "Location: /b\r\n"), no + "; the Upgrade field of the request was ignored"},
		{"300, nowhere", nil, status("300 Multiple Choices", ""), no},
		{"400 with a Location", nil, status("400 Bad Request", "Location: /b\r\n"), no},
		{"304", nil, "HTTP/1.1 304 Not Modified\r\n\r\n", no},
		{"307, nowhere", nil, status("307 Temporary Redirect", ""), no},
		{"400", nil, status("400 Bad Request", ""), no},
		{"401", nil, status("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest\r\n"), no + `, WWW-Authenticate is "Basic realm=\"x\"" and "Digest"; the request had no Authorization`},
		{"401 with a Location", nil, status("401 Unauthorized", "Location: /b\r\n"), no + "; the request had no Authorization"},
		{"401, with credentials", from, status("401 Unauthorized", ""), no + "; the request had Authorization"},
		{"403", nil, status("403 Forbidden", ""), no + "; the request had no Origin"},
		{"403, with Origin", from, status("403 Forbidden", ""), no + `; the request had Origin "http://here.example"`},
		{"407", nil, status("407 Proxy Authentication Required", "Proxy-Authenticate: Basic\r\n"), no + `, Proxy-Authenticate is "Basic"; a proxy takes credentials from the user information of its URL`},
		{"426", nil, status("426 Upgrade Required", "Upgrade: h2c\r\nSec-WebSocket-Version: 8, 7\r\n"), no + `, Upgrade is "h2c", Sec-WebSocket-Version is "8, 7"; the request had Upgrade "websocket" and Sec-WebSocket-Version "13"`},
		{"500", nil, status("500 Internal Server Error", ""), no},
		{"long", nil, replace("websocket", strings.Repeat("x", 300)), `Upgrade is "` + strings.Repeat("x", 256) + `"..., want "websocket"`},
		{"many", nil, replace("Upgrade: websocket", strings.Repeat("Upgrade: "+strings.Repeat("x", 200)+"\r\n", 30)+"A: b"), `30 Upgrade fields, "` + strings.Repeat("x", 200) + `" and "` + strings.Repeat("x", 200) + `" and "` + strings.Repeat("x", 200) + `", want one field with "websocket"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o DialOptions
			if tt.options != nil {
				o = *tt.options
			}
			accept := make(chan string, 1)
			base := answering(tt.answer).Transport
			o.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
				accept <- acceptOf(asSent(r))
				return base.RoundTrip(r)
			})}
			_, _, err := Dial(t.Context(), "ws://example.com/", &o)
			e, ok := errors.AsType[*DialError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if want := strings.ReplaceAll(tt.want, "KEY", <-accept); e.Reason != want {
				t.Errorf("reason %s\nwant   %s", e.Reason, want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v tells a secret", err)
			}
		})
	}
}

// TestDialReasonsInformational: only a 2xx says that the Upgrade field was ignored. An
// interim status, which only a transport of another kind hands on, does not.
func TestDialReasonsInformational(t *testing.T) {
	for status, header := range map[int]http.Header{100: nil, 103: {"Location": {"/b"}}, 199: {"Content-Type": {"text/html"}}} {
		client := &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: header, Body: http.NoBody}, nil
		})}
		_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		if e, ok := errors.AsType[*DialError](err); !ok || e.Status != status || e.Reason != "the server did not switch protocols, want 101" {
			t.Errorf("%d: error %v", status, err)
		}
	}
}

// TestDialReasonsSent: what the request had is what was sent, be it from the URL
// or from the transport; a transport that does not tell is taken to have sent
// the options.
func TestDialReasonsSent(t *testing.T) {
	unauthorized := "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
	adding := answering(unauthorized)
	base := adding.Transport
	adding.Transport = tripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer secret")
		return base.RoundTrip(r)
	})
	silent := &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 401, Body: http.NoBody}, nil
	})}
	for _, tt := range []struct {
		name, url string
		options   DialOptions
		want      string
	}{
		{"nothing", "ws://example.com/", DialOptions{HTTPClient: answering(unauthorized)}, "the request had no Authorization"},
		{"URL", "ws://user:secret@example.com/", DialOptions{HTTPClient: answering(unauthorized)}, "the request had Authorization"},
		{"transport", "ws://example.com/", DialOptions{HTTPClient: adding}, "the request had Authorization"},
		{"not told", "ws://example.com/", DialOptions{HTTPClient: silent, Header: http.Header{"Authorization": {"secret"}}}, "the request had Authorization"},
	} {
		_, _, err := Dial(t.Context(), tt.url, &tt.options)
		if err == nil || !strings.HasSuffix(err.Error(), "; "+tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want the end %q", tt.name, err, tt.want)
		}
	}
}

// TestDialRedirectByDefault: without an HTTPClient no redirect is followed, and the error
// says what would.
func TestDialRedirectByDefault(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("/b", http.StatusFound))
	defer s.Close()
	const want = `websocket: dial: 302 Found: the server redirects to Location "/b", want 101; it is followed only if HTTPClient.CheckRedirect is set`
	for _, o := range []*DialOptions{nil, {}} {
		if _, _, err := Dial(t.Context(), s.URL, o); err == nil || err.Error() != want {
			t.Errorf("options %v: error %v, want %v", o, err, want)
		}
	}
}

// TestDialRedirectNotFollowed: a redirect that CheckRedirect has declined.
func TestDialRedirectNotFollowed(t *testing.T) {
	client := answering("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
	const want = `websocket: dial: 302 Found: the server redirects to Location "/b", want 101; HTTPClient.CheckRedirect did not follow it`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestDialRedirectFollowed: an error after a redirect to another host does not
// take that host for a proxy.
func TestDialRedirectFollowed(t *testing.T) {
	client := scripted(func(nc net.Conn, r *http.Request) {
		defer nc.Close()
		if r.Host == "example.com" {
			io.WriteString(nc, "HTTP/1.1 302 Found\r\nLocation: ws://other.example:81/\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(nc, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	})
	client.Transport = tripper(client.Transport.RoundTrip) // wrapped, it may go to a proxy for ws
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
	_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
	const want = "websocket: dial: 404 Not Found: the server did not switch protocols, want 101"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestDialFieldsReason: of our own transport, how many fields there are.
func TestDialFieldsReason(t *testing.T) {
	d := dialer{options: new(DialOptions), ours: true, key: sampleKey}
	h := http.Header{"X": make([]string, responseFields+1)}
	_, err := d.check(&http.Response{Header: h, StatusCode: 200})
	const want = "response has 101 header fields, more than 100"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %v", err, want)
	}
	h["X"] = h["X"][1:]
	if _, err := d.check(&http.Response{Header: h, StatusCode: 200}); err == nil || strings.Contains(err.Error(), "header fields") {
		t.Errorf("100 fields: error %v", err)
	}
}

// TestDialConnectionReason: a transport of another kind says itself that the
// connection ends, and leaves the Connection field as it is.
func TestDialConnectionReason(t *testing.T) {
	d := dialer{options: new(DialOptions), key: sampleKey}
	_, err := d.check(&http.Response{
		StatusCode: http.StatusSwitchingProtocols,
		ProtoMajor: 1,
		ProtoMinor: 1,
		Close:      true,
		Header:     http.Header{"Upgrade": {"websocket"}, "Connection": {"keep-alive"}},
	})
	const want = `Connection is "keep-alive", want "Upgrade"`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestQuoted: no value is begun beyond 512 bytes.
func TestQuoted(t *testing.T) {
	for n, want := range map[int]bool{250: true, 251: true, 252: false} {
		x := strings.Repeat("x", n)
		if got := quoted([]string{x, x + "x", "last"}); strings.HasSuffix(got, `"last"`) != want {
			t.Errorf("after 2 * %d + 10 bytes: %s", n, got)
		}
	}
}

// TestDialNotWritable: a transport whose body can't be written to is named.
func TestDialNotWritable(t *testing.T) {
	o := &DialOptions{HTTPClient: stranger(io.NopCloser(strings.NewReader("x")), nil)}
	_, resp, err := Dial(t.Context(), "ws://example.com/", o)
	const want = "websocket: dial: 101 Switching Protocols: the transport does not give the connection away: the response's body, a io.nopCloserWriterTo, has no Write method"
	if err == nil || err.Error() != want || resp == nil {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestRefusalReasons: a refusal says what the request has, quoted, and what it
// should have.
func TestRefusalReasons(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(sample(""), old, new, 1) }
	const raw = true // what net/http itself refuses, or takes
	for _, tt := range []struct {
		name string
		in   string
		want string
		raw  bool
	}{
		{"method", replace("GET", "PUT"), `method is "PUT", want GET`, false},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), `HTTP version is "HTTP/1.0", want HTTP/1.1`, false},
		{"empty Host", replace("Host: example.com", "Host:"), `malformed Host ""`, raw},
		{"no Host", without("Host"), "no Host field, want one", false},
		{"Content-Length", sample("Content-Length: 12\r\n") + "twelve bytes", `Content-Length is "12", want a request without a body`, false},
		{"chunked", sample("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", `Transfer-Encoding is "chunked", want a request without a body`, false},

		{"no Upgrade", without("Upgrade"), `no Upgrade field, want "websocket"`, false},
		{"empty Upgrade", replace("Upgrade: websocket", "Upgrade:"), `Upgrade is "", want "websocket"`, false},
		{"other Upgrade", replace("Upgrade: websocket", "Upgrade: h2c"), `Upgrade is "h2c", want "websocket"`, false},
		{"two Upgrades", replace("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: foo"), `Upgrade is "h2c" and "foo", want "websocket"`, false},
		{"no Connection", without("Connection"), `no Connection field, want "Upgrade"`, false},
		{"other Connection", replace("Connection: Upgrade", "Connection: keep-alive"), `Connection is "keep-alive", want "Upgrade"`, false},
		{"no version", without("Sec-WebSocket-Version"), `no Sec-WebSocket-Version field, want "13"`, false},
		{"other version", replace("Version: 13", "Version: 13, 8"), `Sec-WebSocket-Version is "13, 8", want "13"`, false},
		{"two versions", sample("Sec-WebSocket-Version: 8\r\n"), "2 Sec-WebSocket-Version fields, want one", false},
		{"no key", without("Sec-WebSocket-Key"), "no Sec-WebSocket-Key field, want 16 bytes in base64", false},
		{"other key", replace(sampleKey, "abc"), `Sec-WebSocket-Key is "abc", want 16 bytes in base64`, false},
		{"two keys", sample("Sec-WebSocket-Key: " + sampleKey + "\r\n"), "2 Sec-WebSocket-Key fields, want one", false},
		{"two origins", sample("Origin: null\r\nOrigin: null\r\n"), "2 Origin fields, want one", false},
		{"empty subprotocol", sample("Sec-WebSocket-Protocol:\r\n"), `Sec-WebSocket-Protocol is "", which names no subprotocol`, false},
		{"empty subprotocols", sample("Sec-WebSocket-Protocol: ,\r\n"), `Sec-WebSocket-Protocol is ",", which names no subprotocol`, false},
		{"subprotocol no token", sample("Sec-WebSocket-Protocol: a, b c\r\n"), `Sec-WebSocket-Protocol is "a, b c", of which "b c" is not a token`, false},
		{"subprotocols no tokens", sample("Sec-WebSocket-Protocol: a, b c, d e\r\n"), `Sec-WebSocket-Protocol is "a, b c, d e", of which "b c" is not a token`, false},
		{"extensions", sample("Sec-WebSocket-Extensions: foo bar\r\n"), `Sec-WebSocket-Extensions is "foo bar", which is not a list of extensions`, false},
		{"empty extensions", sample("Sec-WebSocket-Extensions:\r\n"), `Sec-WebSocket-Extensions is "", which is not a list of extensions`, false},
		{"not yet long", replace("Upgrade: websocket", "Upgrade: "+strings.Repeat("x", 256)), `Upgrade is "` + strings.Repeat("x", 256) + `", want "websocket"`, false},
		{"long", replace("Upgrade: websocket", "Upgrade: "+strings.Repeat("x", 300)), `Upgrade is "` + strings.Repeat("x", 256) + `"..., want "websocket"`, false},

		{"request line", replace("GET /chat?x=1", "GET"), `malformed request line "GET HTTP/1.1"`, raw},
		{"target", replace("/chat", "#"), `malformed request line "GET #?x=1 HTTP/1.1"`, raw},
		{"target form", replace("/chat?x=1", "chat"), `malformed request target "chat"`, raw},
		{"field", sample("X Y: a\r\n"), `malformed header field "X Y: a"`, raw},
		{"line end", sample("X: a\n"), `line "X: a" does not end in CR LF`, raw},
		{"line end, bare CR", sample("X: a\rY: b\r\n"), `line "X: a" does not end in CR LF`, raw},
		{"control character", sample("X: a\x00b\r\n"), `control character "\x00" in the line after "X: a"`, raw},
		{"two Hosts", sample("Host: example.com\r\n"), "2 Host fields, want one", raw},
		{"Host", replace("example.com", "a/b"), `malformed Host "a/b"`, raw},
		{"two lengths", sample("Content-Length: 0\r\nContent-Length: 0\r\n"), "2 Content-Length fields, want one", raw},
		{"head", filled(17<<10, 8), "request head has more than 16384 bytes", raw},
		{"line", sample("X: " + strings.Repeat("x", 8192) + "\r\n"), "header field has more than 8192 bytes", raw},
		{"long request line", replace("/chat", "/"+strings.Repeat("x", 8192)), "request line has more than 8192 bytes", raw},
		{"fields", sample(strings.Repeat("X: y\r\n", 100)), "header has more than 100 fields", raw},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(path string, err error) {
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Reason != tt.want {
					t.Errorf("%s: error %v\nwant the reason %s", path, err, tt.want)
				}
			}
			_, err := AcceptConn(newMemConn(tt.in), nil)
			check("raw", err)
			if tt.raw {
				return
			}
			_, err = Accept(newHijackRecorder(newMemConn("")), readRequest(t, tt.in), nil)
			check("net/http", err)
		})
	}
}
