package handshake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzRequest: what our parser accepts net/http accepts too, and reads alike;
// the outcome does not depend on how the bytes arrive; nothing that comes
// after the head is lost; each refusal is one whole response.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(sample("Origin: http://example.com\r\nSec-WebSocket-Protocol: a, b\r\n") + "\x81\x00"))
	f.Add([]byte(sample("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"1\\0\"\r\n")))
	f.Add([]byte(benchRequest))
	f.Add([]byte(strings.Replace(sample(""), "/chat?x=1", "http://[::1]:80?%41", 1)))
	f.Add([]byte(strings.Replace(sample(""), "example.com", "[1::2:127.0.0.1]:0", 1)))
	for _, m := range malformed {
		f.Add([]byte(m.in))
	}
	o := &Options{KeepHeader: true, Origins: []string{"*"}, Subprotocols: []string{"b"}, Deflate: takeover}
	f.Fuzz(func(t *testing.T, in []byte) {
		c := newMemConn(string(in))
		res, err := AcceptConn(c, o)
		slow := newMemConn("")
		slow.in = iotest.OneByteReader(bytes.NewReader(in))
		_, slowErr := AcceptConn(slow, o)
		if (err == nil) != (slowErr == nil) || err != nil && err.Error() != slowErr.Error() {
			t.Fatalf("at once: %v; one octet at a time: %v", err, slowErr)
		}
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				wantRefusal(t, "raw", c, err, e.Status)
			} else if c.out.Len() > 0 {
				t.Fatalf("%v, and %q written", err, c.out.Bytes())
			}
			return
		}
		if resp, _ := c.response(t); resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("accepted with %s", resp.Status)
		}
		sameRequest(t, in, res, c)
	})
}

// sameRequest compares what AcceptConn found with what net/http does.
func sameRequest(t *testing.T, in []byte, res *Result, c *memConn) {
	t.Helper()
	oracle := bufio.NewReaderSize(bytes.NewReader(in), 64<<10)
	r, err := http.ReadRequest(oracle)
	if err != nil {
		t.Fatalf("net/http refuses what was accepted: %v", err)
	}
	if r.Method != http.MethodGet || r.Proto != "HTTP/1.1" || r.ContentLength != 0 || r.RequestURI != res.Target {
		t.Fatalf("net/http read %s %q %s with %d octets, we %q", r.Method, r.RequestURI, r.Proto, r.ContentLength, res.Target)
	}
	r.Header.Del("Cache-Control") // net/http adds one to Pragma
	res.Header.Del("Cache-Control")
	r.Header.Del("Host")
	if !reflect.DeepEqual(r.Header, res.Header) {
		t.Fatalf("net/http read %q, we %q", r.Header, res.Header)
	}
	want, err := io.ReadAll(oracle)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(c)
	if got := append(res.Buffered, rest...); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("behind the head are %q, net/http has %q", got, want)
	}
}

// FuzzUserHeader: whatever the user gives as field, subprotocol, host and
// path, a request or response has the lines that it should have, or is an
// error.
func FuzzUserHeader(f *testing.F) {
	f.Add("X-Y", "value", "chat", "example.com", "/path?query")
	f.Add("X\r\nY", "a\r\nb: c", "a\r\nb", "a\r\nb", "/a\r\nb")
	f.Add("X\n", "a\n", "a\n", "a\n", "/a\n")
	f.Add("X\r", "a\r", "a\r", "a\r", "/a\r")
	f.Add("X\x00", "a\x00", "a\x00", "a\x00", "/a\x00")
	f.Add("0", "0", "0", "0", "? ")
	f.Add("Connection", "\u010D\u010A", "", "[::1]:80", "/%0D%0A")
	f.Fuzz(func(t *testing.T, name, value, subprotocol, host, path string) {
		h := http.Header{name: {value}}
		if got, valid := checkHeader(h) == nil, fieldOracle(name, value); got != (valid && !isReserved(name)) {
			t.Fatalf("field %q: %q: taken = %v", name, value, got)
		}
		o := &Options{Header: h, Subprotocols: []string{subprotocol}}
		c := newMemConn(sample("Sec-WebSocket-Protocol: " + subprotocol + "\r\n"))
		if _, err := AcceptConn(c, o); err == nil {
			responseLines(t, c.out.String(), name, value, subprotocol)
		}
		requestLines(t, path, &DialOptions{Header: h, Subprotocols: []string{subprotocol}, Host: host})
	})
}

// fieldOracle reports whether net/http would send the field: its transport
// looks at it before it dials.
func fieldOracle(name, value string) bool {
	t := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errConn }}
	_, err := t.RoundTrip(&http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: "http", Host: "example.com"},
		Header: http.Header{name: {value}},
	})
	return errors.Is(err, errConn)
}

// responseLines fails unless the response has just these lines.
func responseLines(t *testing.T, out, name, value, subprotocol string) {
	t.Helper()
	want := strings.Replace(goodAnswer, "ACCEPT", sampleAccept, 1)
	if subprotocol != "" && strings.Contains(out, "Sec-WebSocket-Protocol") {
		want += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	want += name + ": " + value + "\r\n\r\n"
	if out != want || strings.Count(out, "\n") != strings.Count(out, "\r\n") {
		t.Fatalf("response %q, want %q", out, want)
	}
}

// requestLines dials and fails if what is sent is not one request with the
// fields that were asked for.
func requestLines(t *testing.T, path string, o *DialOptions) {
	t.Helper()
	var sent bytes.Buffer
	o.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		r.Write(&sent)
		return nil, errConn
	})}
	if _, _, err := Dial(t.Context(), "ws://example.com"+path, o); err == nil {
		t.Fatal("no error from a transport that fails")
	}
	if sent.Len() == 0 {
		return
	}
	in := sent.String()
	r, err := http.ReadRequest(bufio.NewReader(&sent))
	if err != nil {
		t.Fatalf("request %q: %v", in, err)
	}
	if rest, _ := io.ReadAll(r.Body); len(rest) > 0 || sent.Len() > 0 {
		t.Fatalf("request %q has something behind it", in)
	}
	for name := range r.Header {
		ours := strings.HasPrefix(name, "Sec-Websocket-") || name == "Upgrade" || name == "Connection" || name == "User-Agent" ||
			name == "Authorization" // of user information in the URL
		if !ours && !hasField(o.Header, name) {
			t.Fatalf("request %q has a field %q that was not asked for", in, name)
		}
	}
	if _, err := url.ParseRequestURI(r.RequestURI); err != nil {
		t.Fatalf("target %q: %v", r.RequestURI, err)
	}
}

// hasField reports whether h has the field, in letters of any case.
func hasField(h http.Header, name string) bool {
	for n := range h {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
