package engineio_test

import (
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
)

// descriptors returns how many files are open, -1 where that can't be known.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(list)
}

// settled returns what count gives once that is no more than most, or what it
// gives after a while: what was closed may take a moment to be gone.
func settled(count func() int, most int) int {
	for deadline := time.Now().Add(10 * time.Second); count() > most && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	return count()
}

// Failed requests of every kind over real connections: each is answered, and
// neither goroutines nor descriptors are left.
func TestFailedRequestsLeaveNothing(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := newServer(t, func(s *engineio.Session) engineio.Receiver { return echo{s: s} },
		&engineio.Options{Logger: quiet, Limits: engineio.Limits{MaxPayload: 100}})
	web := httptest.NewServer(server)
	address := web.Listener.Addr().String()
	goroutinesBefore, descriptorsBefore := runtime.NumGoroutine(), descriptors()
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	for _, tt := range []struct{ name, method, query, header, body, want string }{
		{"unknown transport", "GET", "transport=x", "", "", "400"},
		{"unknown session", "GET", "transport=polling&sid=x", "", "", "400"},
		{"POST to an unknown session", "POST", "transport=polling&sid=x", "", "4a", "400"},
		{"long POST to an unknown session", "POST", "transport=polling&sid=x", "", strings.Repeat("x", 1000), "400"},
		{"POST without a session", "POST", "transport=polling", "", "4a", "400"},
		{"binary POST", "POST", "transport=polling&sid=x", "Content-Type: application/octet-stream\r\n", "\x00", "400"},
		{"WebSocket to an unknown session", "GET", "transport=websocket&sid=x", upgrade, "", "400"},
		{"WebSocket without a key", "GET", "transport=websocket", upgrade + "Sec-WebSocket-Version: 13\r\n", "", "400"},
		{"WebSocket of another version", "GET", "transport=websocket", upgrade + "Sec-WebSocket-Version: 8\r\n", "", "426"},
		{"WebSocket of another origin", "GET", "transport=websocket", upgrade +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: http://evil.example\r\n", "", "403"},
	} {
		request := tt.method + " /engine.io/?EIO=4&" + tt.query + " HTTP/1.1\r\nHost: example.com\r\n" + tt.header
		if tt.body != "" {
			request += "Content-Length: " + strconv.Itoa(len(tt.body)) + "\r\n"
		}
		request += "\r\n" + tt.body
		for range rounds {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, request)
			status := make([]byte, len("HTTP/1.1 400"))
			if _, err := io.ReadFull(c, status); err != nil || string(status[9:]) != tt.want {
				t.Fatalf("%s: %q, %v; want %s", tt.name, status, err, tt.want)
			}
			c.Close()
		}
	}
	web.Close() // waits for the connections
	if got := settled(runtime.NumGoroutine, goroutinesBefore); got > goroutinesBefore {
		t.Errorf("%d goroutines, %d before", got, goroutinesBefore)
	}
	if got := settled(descriptors, descriptorsBefore); got > descriptorsBefore {
		t.Errorf("%d descriptors, %d before", got, descriptorsBefore)
	}
	if err := server.Shutdown(t.Context()); err != nil { // at once: there is no session
		t.Error(err)
	}
}

// deaf is a receiver that listens to nothing.
type deaf struct{ messages int }

func (d *deaf) Message([]byte, bool)   { d.messages++ }
func (d *deaf) Closed(engineio.Reason) {}

// 500,000 empty packets in one POST cost the memory of the body.
func TestEmptyPacketsInOnePOST(t *testing.T) {
	d := new(deaf)
	server := newServer(t, func(*engineio.Session) engineio.Receiver { return d }, nil)
	serve := func(method, query, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(method, "/engine.io/?EIO=4&transport=polling"+query, strings.NewReader(body)))
		return w
	}
	sid := "&sid=" + strings.Split(serve("GET", "", "").Body.String(), `"`)[3]
	body := strings.Repeat("4\x1e", 499_999) + "4"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := serve("POST", sid, body)
	runtime.ReadMemStats(&after)
	if w.Code != 200 || d.messages != 500_000 {
		t.Errorf("%d, %d messages", w.Code, d.messages)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8*uint64(len(body)) {
		t.Errorf("%d bytes allocated for a body of %d", got, len(body))
	}
	serve("POST", sid, "1")
	serve("GET", sid, "")
}
