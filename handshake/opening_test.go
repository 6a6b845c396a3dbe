package handshake

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// opened is what a handshake has come to.
type opened struct {
	result   *Result // without Conn and Buffered
	err      string
	response string // without its date
	rest     string // what follows the request, wherever it is
}

var dateField = regexp.MustCompile(`Date: [^\r]*\r\n`)

// newOpened returns what a handshake has come to whose connection has unread left.
func newOpened(result *Result, err error, response []byte, unread string) (got opened) {
	got.response = dateField.ReplaceAllString(string(response), "")
	if err != nil {
		got.err = err.Error()
		return got
	}
	r := *result
	got.rest = string(r.Buffered) + unread
	r.Conn, r.Buffered = nil, nil
	got.result = &r
	return got
}

// accepted returns what AcceptConn makes of in.
func accepted(in string, o *Options) opened {
	c := newMemConn(in)
	result, err := AcceptConn(c, o)
	unread, _ := io.ReadAll(c)
	return newOpened(result, err, c.out.Bytes(), string(unread))
}

// open gives in to an Opening in pieces of these sizes, the last one again and
// again, and returns what it has come to, or false if it wants more.
func open(t *testing.T, in string, o *Options, sizes ...int) (got opened, done bool) {
	t.Helper()
	h := Opening{Options: o, Peer: newMemConn("")}
	defer h.Release()
	for i := 0; !done && in != ""; i++ {
		room := h.Room()
		if len(room) == 0 || len(room) > readBytes {
			t.Fatalf("room for %d bytes, want 1 to %d", len(room), readBytes)
		}
		n := copy(room[:min(len(room), sizes[min(i, len(sizes)-1)])], in)
		in = in[n:]
		done = h.Take(n)
	}
	if !done {
		return got, false
	}
	result, err := h.Result()
	return newOpened(result, err, h.Response(time.Time{}), in), true
}

// everything is what the requests of these tests can ask for.
var everything = &Options{KeepHeader: true, Subprotocols: []string{"chat"}, Deflate: &DeflateOptions{}, Header: http.Header{"X": {"y"}}}

// TestOpeningCut: wherever a request is cut in two, an Opening comes to what
// AcceptConn does, and not before the last byte that it needs.
func TestOpeningCut(t *testing.T) {
	requests := map[string]string{
		"good":        sample("Sec-WebSocket-Protocol: a, chat\r\n"),
		"with frames": sample("Sec-WebSocket-Extensions: permessage-deflate\r\n") + "\x81\x80\x00\x00\x00\x00frames",
		"origin":      sample("Origin: http://other.example\r\n"),
		"no upgrade":  without("Upgrade"),
	}
	for _, m := range malformed {
		requests[m.name] = m.in
	}
	for name, in := range requests {
		want := accepted(in, everything)
		need := len(in) // how many bytes it takes
		for n := range need {
			if _, done := open(t, in[:n], everything, n); done {
				need = n
				break
			}
		}
		for cut := 1; cut < len(in); cut++ {
			got, done := open(t, in, everything, cut, len(in))
			if !done || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, cut at %d: done %v, %+v, want %+v", name, cut, done, got, want)
			}
			if _, done := open(t, in[:cut], everything, 1); done != (cut >= need) {
				t.Fatalf("%s, %d bytes: done %v, at once %d are needed", name, cut, done, need)
			}
		}
	}
}

// TestOpeningLimits: a head may have as many bytes as AcceptConn takes, in pieces of
// any size.
func TestOpeningLimits(t *testing.T) {
	for _, in := range []string{
		filled(16<<10, 8) + "frames", filled(16<<10+1, 8), sample("X: " + strings.Repeat("x", 9<<10)),
		strings.Repeat("x", 20<<10), sample(strings.Repeat("X: y\r\n", 95)), sample(strings.Repeat("X: y\r\n", 96)),
	} {
		want := accepted(in, nil)
		for _, size := range []int{1, 7, 4095, 4096, 1 << 20} {
			if got, done := open(t, in, nil, size); !done || !reflect.DeepEqual(got, want) {
				t.Errorf("%.20q, %d bytes at a time: done %v, %+v, want %+v", in, size, done, got, want)
			}
		}
	}
}

// FuzzOpening: a request in any pieces comes to what AcceptConn comes to, and
// Request has what net/http reads.
func FuzzOpening(f *testing.F) {
	f.Add(sample("")+"frames", []byte{1, 2, 3})
	f.Add(filled(5000, 3), []byte{255})
	for i, m := range malformed {
		f.Add(m.in, []byte{byte(i), 100})
	}
	f.Fuzz(func(t *testing.T, in string, pieces []byte) {
		sizes := []int{len(in)}
		for i, n := range pieces {
			sizes = append(sizes[:i], int(n)*int(n)/4, len(in))
		}
		got, done := open(t, in, everything, sizes...)
		want := accepted(in, everything)
		if over := strings.Contains(want.err, "EOF"); done == over || done && !reflect.DeepEqual(got, want) {
			t.Fatalf("done %v, %+v, want %+v", done, got, want)
		}
		if got.result == nil {
			return
		}
		h := Opening{Options: everything}
		defer h.Release()
		if _, err := h.Accept(newMemConn(in)); err != nil {
			t.Fatal(err)
		}
		theirs, ours := readRequest(t, in), h.Request()
		if ours.Method != theirs.Method || ours.URL.String() != theirs.URL.String() || ours.RequestURI != theirs.RequestURI || ours.Host != theirs.Host {
			t.Fatalf("request %+v, net/http has %+v", ours, theirs)
		}
	})
}

// TestOpeningRequest: Request has as much of a request as was understood, and what
// is read while a refused peer is listened to does no harm.
func TestOpeningRequest(t *testing.T) {
	before := &Options{Before: func(*http.Request) (http.Header, error) { return nil, errors.New("no") }}
	const none, line = "   0", "GET /chat?x=1 /chat 0" // nothing; the request line
	for _, tt := range []struct {
		name, in, want string
		options        *Options
	}{
		{"garbage", "\x16\x03\x01", none, nil},
		{"half a request line", "GET /chat?x=1", none, nil},
		{"malformed request line", "GET  /chat HTTP/1.1\r\n\r\n", none, nil},
		{"malformed target", "GET ftp://example.com/chat HTTP/1.1\r\n\r\n", none, nil},
		{"another method", strings.Replace(sample(""), "GET", "POST", 1), none, nil},
		{"half a head", strings.TrimSuffix(sample(""), "\r\n"), line, nil},
		{"malformed field", sample("X\r\n"), line, nil},
		{"too many fields", sample(strings.Repeat("X: y\r\n", 100)), line, nil},
		{"no Host", without("Host"), line, nil},
		{"no Upgrade", without("Upgrade"), "GET /chat?x=1 example.com/chat 3", nil},
		{"origin", sample("Origin: http://other.example\r\n"), "GET /chat?x=1 example.com/chat 5", nil},
		{"hook", sample(""), "GET /chat?x=1 example.com/chat 4", before},
		{"absolute form", strings.Replace(without("Upgrade"), "/chat?x=1", "http://example.org/a", 1), "GET http://example.org/a example.org/a 3", nil},
		{"accepted", sample(""), "GET /chat?x=1 example.com/chat 4", nil},
	} {
		h := Opening{Options: tt.options}
		c := newMemConn("")
		c.in = io.MultiReader(iotest.OneByteReader(strings.NewReader(tt.in)), strings.NewReader(strings.Repeat("x", 20<<10)))
		_, err := h.Accept(memTLSConn{c})
		if (err == nil) != (tt.name == "accepted") {
			t.Errorf("%s: %v", tt.name, err)
		}
		r := h.Request()
		if got := fmt.Sprintf("%s %s %s%s %d", r.Method, r.RequestURI, r.Host, r.URL.Path, len(r.Header)); got != tt.want {
			t.Errorf("%s: request %q, want %q, after %v", tt.name, got, tt.want, err)
		}
		if r.RemoteAddr != "127.0.0.1:8" || r.TLS == nil || r.Body == nil || r.Header == nil {
			t.Errorf("%s: request %+v", tt.name, r)
		}
		h.Release()
	}
}

// TestOpeningWithoutBytes: a connection that ends, or fails, before it has sent
// anything has a request too.
func TestOpeningWithoutBytes(t *testing.T) {
	var h Opening
	if _, err := h.Accept(newMemConn("")); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want %v", err, io.EOF)
	}
	for range 2 {
		if r := h.Request(); r.RemoteAddr != "127.0.0.1:8" || r.URL == nil || r.Header == nil || r.Body == nil || r.TLS != nil {
			t.Errorf("request %+v", r)
		}
		h.Release()
	}
}

// TestOpeningAcceptsRest: Accept goes on where Take has come to.
func TestOpeningAcceptsRest(t *testing.T) {
	for name, in := range map[string]string{"good": sample("") + "frames", "refused": without("Upgrade"), "malformed": "GET /\r\n\r\n"} {
		want := accepted(in, nil)
		for cut := range len(in) + 1 {
			c := newMemConn(in[cut:])
			h := Opening{Peer: c}
			for i, done := 0, false; i < cut && !done; i++ {
				done = h.Take(copy(h.Room(), in[i:i+1]))
			}
			result, err := h.Accept(c)
			unread, _ := io.ReadAll(c)
			got := newOpened(result, err, c.out.Bytes(), string(unread))
			if result != nil && result.Conn != c || c.closed != (err != nil) {
				t.Errorf("%s, cut at %d: %v, closed %v", name, cut, result, c.closed)
			}
			if got.rest = want.rest; !reflect.DeepEqual(got, want) {
				t.Errorf("%s, cut at %d: %+v, want %+v", name, cut, got, want)
			}
			h.Release()
		}
	}
}

// TestOpeningRequestIsOne: hooks and the caller see the same request, so that what a
// hook changes is there for all that follow.
func TestOpeningRequestIsOne(t *testing.T) {
	var seen []*http.Request
	h := Opening{Options: &Options{
		CheckOrigin: func(r *http.Request) bool { seen = append(seen, r); return true },
		Before:      func(r *http.Request) (http.Header, error) { seen = append(seen, r); return nil, nil },
	}}
	if _, err := h.Accept(newMemConn(sample(""))); err != nil {
		t.Fatal(err)
	}
	if r := h.Request(); len(seen) != 2 || seen[0] != r || seen[1] != r || h.Request() != r {
		t.Errorf("hooks saw %p, then it is %p", seen, r)
	}
	h.Release()
}

// TestOpeningMemory: an Opening has memory only while there are bytes of a request,
// and ends with nothing.
func TestOpeningMemory(t *testing.T) {
	h := Opening{Peer: newMemConn("")}
	if h.Take(0) || h.p != nil {
		t.Error("memory without a byte")
	}
	h.Room()
	if h.Take(0) || h.p != nil {
		t.Error("memory that nobody has written to is kept")
	}
	h.Take(copy(h.Room(), sample("")[:1]))
	if h.Take(0) || h.p == nil {
		t.Error("a byte is lost")
	}
	if !h.Take(copy(h.Room(), sample("")[1:])) {
		t.Error("not done")
	}
	h.Release()
	if h != (Opening{Peer: h.Peer}) {
		t.Errorf("after Release there is %+v", h)
	}
}

// TestOpeningTakesTooMuch: what was not read can't be taken, even if the memory is that of a
// larger request.
func TestOpeningTakesTooMuch(t *testing.T) {
	for _, n := range []int{-1, readBytes + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Take(%d) did not panic", n)
				}
			}()
			var h Opening
			h.Room()
			h.p.in = make([]byte, 2*readBytes)
			h.Take(n)
		}()
	}
}

// TestOpeningAllocs: an Opening costs what AcceptConn does, the result and the
// target, however the request is cut.
func TestOpeningAllocs(t *testing.T) {
	h := Opening{Peer: newMemConn("")}
	got := testing.AllocsPerRun(100, func() {
		for in := benchRequest; in != ""; {
			n := copy(h.Room()[:min(50, len(in))], in)
			in = in[n:]
			if h.Take(n) != (in == "") {
				t.Fatal("done too early, or not at all")
			}
		}
		h.Response(time.Time{})
		h.Release()
	})
	if got > 2 && !raceEnabled {
		t.Errorf("%v allocations, want 2", got)
	}
}
