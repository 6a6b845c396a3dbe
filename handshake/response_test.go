package handshake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// goodAnswer is a 101 without the empty line at its end.
const goodAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

// TestDialAnswers is RFC 6455, section 4.1, on the server's response.
func TestDialAnswers(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(goodAnswer, old, new, 1) + "\r\n" }
	chat := &DialOptions{Subprotocols: []string{"a", "b"}}
	fields := func(n int) string { return goodAnswer + strings.Repeat("X: y\r\n", n-3) + "\r\n" }
	for _, tt := range []struct {
		name    string
		options *DialOptions
		answer  string
		ok      bool
	}{
		{"good", nil, goodAnswer + "\r\n", true},
		{"letters of any case", nil, strings.NewReplacer("Upgrade", "UPGRADE", "websocket", "WebSocket", "Connection", "connection").Replace(goodAnswer) + "\r\n", true},
		{"Connection is a list", nil, replace("Connection: Upgrade", "Connection: keep-alive,upgrade"), true},
		{"no Upgrade", nil, replace("Upgrade: websocket\r\n", ""), false},
		{"other Upgrade", nil, replace("websocket", "h2c"), false},
		{"Upgrade is a list", nil, replace("websocket", "websocket, h2c"), false},
		{"Upgrade twice", nil, replace("Connection", "Upgrade: websocket\r\nConnection"), false},
		{"no Connection", nil, replace("Connection: Upgrade\r\n", ""), false},
		{"other Connection", nil, replace("Connection: Upgrade", "Connection: close"), false},
		{"no Accept", nil, replace("Sec-WebSocket-Accept: ACCEPT\r\n", ""), false},
		{"wrong Accept", nil, replace("ACCEPT", sampleAccept), false},
		{"Accept with more", nil, replace("ACCEPT", "ACCEPTx"), false},
		{"Accept twice", nil, replace("Connection", "Sec-WebSocket-Accept: ACCEPT\r\nConnection"), false},
		{"subprotocol", chat, goodAnswer + "Sec-WebSocket-Protocol: b\r\n\r\n", true},
		{"subprotocol not offered", chat, goodAnswer + "Sec-WebSocket-Protocol: c\r\n\r\n", false},
		{"subprotocol in other letters", chat, goodAnswer + "Sec-WebSocket-Protocol: B\r\n\r\n", false},
		{"subprotocol list", chat, goodAnswer + "Sec-WebSocket-Protocol: a, b\r\n\r\n", false},
		{"subprotocol twice", chat, goodAnswer + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n", false},
		{"subprotocol empty", chat, goodAnswer + "Sec-WebSocket-Protocol:\r\n\r\n", false},
		{"subprotocol, none offered", nil, goodAnswer + "Sec-WebSocket-Protocol: a\r\n\r\n", false},
		{"extension not offered", nil, goodAnswer + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", false},
		{"extension unknown", &DialOptions{Deflate: new(DeflateOptions)}, goodAnswer + "Sec-WebSocket-Extensions: foo\r\n\r\n", false},
		{"extension and no extension", &DialOptions{Deflate: new(DeflateOptions)}, goodAnswer + "Sec-WebSocket-Extensions: permessage-deflate, @\r\n\r\n", false},
		{"100 fields", nil, fields(100), true},
		{"200", nil, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		{"no HTTP", nil, "SSH-2.0-x\r\n", false},
		{"nothing", nil, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o DialOptions
			if tt.options != nil {
				o = *tt.options
			}
			o.HTTPClient = answering(tt.answer)
			res, resp, err := Dial(t.Context(), "ws://example.com/", &o)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				if resp.StatusCode != http.StatusSwitchingProtocols || resp.Body != http.NoBody || res.Header.Get("Upgrade") == "" {
					t.Errorf("response %+v, result %+v", resp, res)
				}
				if want := resp.Header.Get("Sec-WebSocket-Protocol"); res.Subprotocol != want {
					t.Errorf("subprotocol %q, want %q", res.Subprotocol, want)
				}
				res.Conn.Close()
				return
			}
			if e, ok := errors.AsType[*DialError](err); ok != (resp != nil) || ok && e.Status != resp.StatusCode {
				t.Errorf("error %v, response %+v", err, resp)
			}
		})
	}
}

// TestDialRefused: the error tells the status, and with the response comes the
// start of its body.
func TestDialRefused(t *testing.T) {
	for _, size := range []int{0, 10, 1023, 1024, 1025, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			body := strings.Repeat("b", size)
			client := answering(fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nX: y\r\nContent-Length: %d\r\n\r\n%s", size, body))
			res, resp, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
			e, ok := errors.AsType[*DialError](err)
			if res != nil || !ok || e.Status != 403 || resp.StatusCode != 403 || resp.Header.Get("X") != "y" {
				t.Fatalf("body of %d octets: %v, %v, %v", size, res, resp, err)
			}
			if want := "websocket: dial: 403 Forbidden: the server did not switch protocols, want 101; the request had no Origin"; e.Error() != want {
				t.Errorf("error %q, want %q", e, want)
			}
			want := body[:min(size, 1024)]
			got, err := io.ReadAll(resp.Body)
			if string(got) != want || string(e.Body) != want || err != nil {
				t.Errorf("body of %d octets: got %d and %d, %v", size, len(got), len(e.Body), err)
			}
		})
	}
}

// TestDialSlowBody: a body that trickles holds nobody up.
func TestDialSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := scripted(func(nc net.Conn, _ *http.Request) {
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nsome")
			io.Copy(io.Discard, nc)
		})
		start := time.Now()
		_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		e, ok := errors.AsType[*DialError](err)
		if took := time.Since(start); !ok || string(e.Body) != "some" || took != refusalTime {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestDialDrainedBody: nor does a body that reads up to its end when it is
// closed, as that of a transport that wants to use a connection again.
func TestDialDrainedBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := scripted(func(nc net.Conn, _ *http.Request) {
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2000\r\n\r\n"+strings.Repeat("b", 1500))
			io.Copy(io.Discard, nc)
		})
		base := client.Transport
		client.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			resp, err := base.RoundTrip(r)
			if err == nil {
				resp.Body = drainedBody{resp.Body}
			}
			return resp, err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: client})
		e, ok := errors.AsType[*DialError](err)
		if took := time.Since(start); !ok || len(e.Body) != refusalBytes || took != refusalTime {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A drainedBody is read up to its end before it is closed.
type drainedBody struct{ io.ReadCloser }

func (b drainedBody) Close() error {
	io.Copy(io.Discard, b.ReadCloser)
	return b.ReadCloser.Close()
}

// TestDialSwitchedWrongly: of a 101 that does not open a connection no body is
// read, and waited for: what follows belongs to another protocol.
func TestDialSwitchedWrongly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := scripted(func(nc net.Conn, _ *http.Request) {
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nframes")
			io.Copy(io.Discard, nc)
		})
		start := time.Now()
		_, resp, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		e, ok := errors.AsType[*DialError](err)
		if took := time.Since(start); !ok || len(e.Body) > 0 || took > 0 {
			t.Errorf("%v with the body %q after %v", err, e.Body, took)
		}
		if body, err := io.ReadAll(resp.Body); len(body) > 0 || err != nil {
			t.Errorf("body %q, %v", body, err)
		}
	})
}

// endless repeats a text for ever.
type endless struct {
	text string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.n%len(e.text)]
		e.n++
	}
	return len(p), nil
}

// TestDialEndlessHead: a response head without end costs under 1 MiB, of
// bytes taken and of memory.
func TestDialEndlessHead(t *testing.T) {
	for _, text := range []string{"X: y\r\n", "x"} {
		taken := make(chan int64, 1)
		tr := newTransport(http.DefaultTransport)
		tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
			a, b := net.Pipe() // holds nothing: what is written has been taken
			go func() {
				defer b.Close()
				r, err := http.ReadRequest(bufio.NewReader(b))
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(b, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r)))
				n, _ := io.Copy(b, &endless{text: text})
				taken <- n
			}()
			return a, nil
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: &http.Client{Transport: tr}})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "65536") {
			t.Errorf("error %v", err)
		}
		if n := <-taken; n > 128<<10 {
			t.Errorf("%d octets taken", n)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 1<<20 {
			t.Errorf("%d octets allocated", cost)
		}
	}
}

// TestDialFields: our own transport takes 100 fields, a given one what it takes.
func TestDialFields(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := Accept(w, r, &Options{Header: http.Header{"X": slices.Repeat([]string{"y"}, 98)}})
		if err != nil {
			t.Error(err)
			return
		}
		res.Conn.Close()
	}))
	defer s.Close()
	res, resp, err := Dial(t.Context(), s.URL, nil)
	if e, ok := errors.AsType[*DialError](err); res != nil || resp == nil || !ok || e.Status != http.StatusSwitchingProtocols {
		t.Errorf("101 fields: %v, %v", res, err)
	}
	res, _, err = Dial(t.Context(), s.URL, &DialOptions{HTTPClient: s.Client()})
	if err != nil {
		t.Fatalf("101 fields, own client: %v", err)
	}
	res.Conn.Close()
}
