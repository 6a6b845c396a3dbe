package engineio_test

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// A session on WebSocket is writable unless something is still unsent.
func TestWritable(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.openWebSocket()
		n := s.session()
		if !n.Writable() {
			t.Error("not writable, and nothing is unsent")
		}
		for range 3 { // the client does not read
			n.Send(engineio.NewMessage(make([]byte, 1<<20), true))
		}
		synctest.Wait()
		if n.Writable() {
			t.Error("writable while much is unsent")
		}
	})
}

// A queue of small messages is bounded by what they take, on WebSocket too.
func TestSmallMessages(t *testing.T) {
	const most = 4 << 20
	inBubble(t, &engineio.Options{Limits: engineio.Limits{QueueBytes: most}}, func(s *site) {
		s.openWebSocket()
		n := s.session()
		n.Send(engineio.NewMessage(make([]byte, 1<<20), true)) // all that is on its way
		synctest.Wait()
		sent := 0
		for m := engineio.NewMessage([]byte("x"), false); n.Send(m) == nil && sent <= most; sent++ {
		}
		if sent > most/160+1 {
			t.Errorf("%d messages wait, want at most %d", sent, most/160)
		}
	})
}

// A worker notes that it has run.
type worker struct{ ran chan struct{} }

func (w worker) Run() { close(w.ran) }

// later is a receiver that leaves work for later.
type later struct {
	echo
	works chan worker // what Later has taken
}

func (l later) Message(data []byte, binary bool) {
	if w := (worker{make(chan struct{})}); l.s.Later(w) {
		l.works <- w
	}
	l.s.Hurry()
	l.echo.Message(data, binary)
}

// What Later takes is done, and it takes nothing of long-polling.
func TestLater(t *testing.T) {
	works := make(chan worker, 10)
	withReceiver(t, nil, func(e echo) engineio.Receiver { return later{e, works} }, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
		if len(works) > 0 {
			t.Error("Later has taken work of long-polling")
		}
		w := s.openWebSocket()
		w.send("4a")
		w.want("4a")
		for len(works) > 0 {
			<-(<-works).ran
		}
	})
}

// hurried is a receiver that waits for the work which it has left for later.
type hurried struct {
	echo
	took chan bool // whether Later has taken the work
}

func (h hurried) Message(data []byte, binary bool) {
	w := worker{make(chan struct{})}
	taken := h.s.Later(w)
	if taken {
		h.s.Hurry()
		select {
		case <-w.ran:
		case <-time.After(10 * time.Second):
			h.site.t.Error("the work is not done while Message waits for it")
		}
	}
	h.took <- taken
}

// Message may wait for what it has left for later, once it has hurried that, also on a loop. Only
// Linux has loops.
func TestHurry(t *testing.T) {
	s := &site{t: t, ends: make(chan engineio.Reason, 1)}
	took := make(chan bool, 1)
	server := newServer(t, func(n *engineio.Session) engineio.Receiver { return hurried{echo{s, n}, took} },
		&engineio.Options{Loop: &conn.Loop{}})
	web := httptest.NewServer(server)
	defer web.Close()
	c, err := engineio.Dial(t.Context(), web.URL, func(*engineio.Client) engineio.Receiver { return nobody{} },
		&engineio.DialOptions{Transports: []string{"websocket"}})
	if err != nil {
		t.Fatal(err)
	}
	c.Send(engineio.NewMessage([]byte("a"), false))
	if got, want := <-took, runtime.GOOS == "linux"; got != want {
		t.Errorf("a loop takes work for later: %v, want %v", got, want)
	}
	c.Close()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// A broken response writer gives a connection away that its client has closed.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, client := net.Pipe()
	client.Close()
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// A WebSocket whose client has gone during the handshake is none, and the hook is told.
func TestGoneInHandshake(t *testing.T) {
	var told []int
	server := newServer(t, func(*engineio.Session) engineio.Receiver { return nil }, &engineio.Options{
		Logger: slog.New(slog.DiscardHandler),
		Hooks:  engineio.Hooks{Refused: func(_ *http.Request, e *engineio.Refusal) { told = append(told, e.Status) }},
	})
	r := httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=websocket", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(name, value)
	}
	server.ServeHTTP(broken{httptest.NewRecorder()}, r)
	if len(told) != 1 || told[0] != http.StatusInternalServerError {
		t.Errorf("told %d", told)
	}
}
