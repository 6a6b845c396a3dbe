package engineio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// "Polling: packets joined by 0x1E, text/plain; charset=UTF-8, Cache-Control:
// no-store. A POST is answered 200 ok (text/html)."
func TestPolling(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		r := s.post(sid, "4hello\x1e4€\x1ebAQIDBA==\x1e4")
		if r.status != 200 || r.body != "ok" || r.header.Get("Content-Type") != "text/html" {
			t.Errorf("POST: %d %q %v", r.status, r.body, r.header)
		}
		r = s.get(sid)
		if r.status != 200 || r.body != "4hello\x1e4€\x1ebAQIDBA==\x1e4" {
			t.Errorf("GET: %d %q", r.status, r.body)
		}
		if r.header.Get("Content-Type") != "text/plain; charset=UTF-8" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET: %v", r.header)
		}
	})
}

// A GET that waits is answered by the first message.
func TestPollingWaits(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		if n.Writable() {
			t.Error("writable without a GET")
		}
		answer := s.later(sid)
		s.wantWaiting(answer)
		if !n.Writable() {
			t.Error("not writable though a GET waits")
		}
		if err := n.Send(engineio.NewMessage([]byte("a"), false), engineio.NewMessage([]byte{1}, true)); err != nil {
			t.Fatal(err)
		}
		s.wantAnswer(answer, 200, "4a\x1ebAQ==")
	})
}

// What open sends comes with the first GET, not with the handshake.
func TestSendFromOpen(t *testing.T) {
	hello := func(e echo) engineio.Receiver {
		e.s.Send(engineio.NewMessage([]byte("hello"), false))
		return e
	}
	withReceiver(t, nil, hello, func(s *site) {
		s.wantGet(s.open(), 200, "4hello")
		s.openWebSocket().want("4hello")
	})
}

// A session that open closes never opens, and leaves nothing that Shutdown waits for.
func TestCloseFromOpen(t *testing.T) {
	shut := func(e echo) engineio.Receiver {
		e.s.Close()
		return e
	}
	withReceiver(t, nil, shut, func(s *site) {
		s.wantGet(s.open(), 200, "1")
		s.wantEnd(engineio.ForcedServerClose)
		s.openWebSocket().wantClosed()
		s.wantEnd(engineio.ForcedClose)
		start := time.Now()
		if err := s.server.Shutdown(s.t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("Shutdown: %v, after %v", err, time.Since(start))
		}
	})
}

// Real clients put 10,000 small packets into one POST.
func TestManyPacketsInOnePOST(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		body := strings.Repeat("4x\x1e", 9_999) + "4x"
		s.wantPost(sid, body, 200, "ok")
		s.wantGet(sid, 200, body)
	})
}

// "Overlapping GET: the first is answered 200 1, the second 400, the session
// closes."
func TestOverlappingGET(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		first := s.later(sid)
		s.wantGet(sid, 400, badRequest)
		s.wantAnswer(first, 200, "1")
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
	})
}

// postSlowly begins a POST and returns what ends it, and its answer.
func (s *site) postSlowly(ctx context.Context, sid string) (rest io.WriteCloser, answer <-chan response) {
	body, rest := io.Pipe()
	done := make(chan response, 1)
	r, err := http.NewRequestWithContext(ctx, "POST", base+"?EIO=4&transport=polling&sid="+sid, body)
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		resp, err := s.http.Do(r)
		if err != nil {
			done <- response{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		done <- response{resp.StatusCode, string(b), resp.Header}
	}()
	rest.Write([]byte("4"))
	synctest.Wait()
	return rest, done
}

// "Likewise an overlapping POST."
func TestOverlappingPOST(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		get := s.later(sid)
		rest, first := s.postSlowly(s.t.Context(), sid)
		s.wantPost(sid, "4second", 400, badRequest)
		s.wantEnd(engineio.TransportError)
		s.wantAnswer(get, 200, "1")
		rest.Write([]byte("first"))
		rest.Close()
		s.wantAnswer(first, 400, unknownSession)
		s.wantGet(sid, 400, unknownSession)
	})
}

// One GET and one POST at a time is legal.
func TestGETAndPOST(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		for range 10 {
			get := s.later(sid)
			s.wantPost(sid, "4a", 200, "ok")
			s.wantAnswer(get, 200, "4a")
		}
		s.wantAlive()
	})
}

// "A GET or POST that the client cuts closes the session."
func TestCutGET(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		ctx, cancel := context.WithCancel(s.t.Context())
		cut := make(chan error, 1)
		go func() {
			_, err := s.do(ctx, "GET", "transport=polling&sid="+sid, "")
			cut <- err
		}()
		synctest.Wait()
		cancel()
		<-cut
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
	})
}

func TestCutPOST(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		ctx, cancel := context.WithCancel(s.t.Context())
		rest, answer := s.postSlowly(ctx, sid)
		cancel()
		synctest.Wait()
		rest.Close()
		<-answer
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
	})
}

// A body that never ends, however short it says that it is, costs no more than a session that
// never answers.
func TestTricklingPOST(t *testing.T) {
	for _, rest := range []string{
		"Transfer-Encoding: chunked\r\n\r\n1\r\n4\r\n",
		"Content-Length: 10\r\n\r\n4",
		"Content-Length: 1\r\n\r\n",
	} {
		inBubble(t, nil, func(s *site) {
			sid := s.open()
			time.Sleep(10 * time.Second)
			c, err := s.listener.DialContext(s.t.Context(), "", "")
			if err != nil {
				s.t.Fatal(err)
			}
			defer c.Close()
			start := time.Now()
			c.SetDeadline(start.Add(time.Hour))
			fmt.Fprintf(c, "POST /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: example.com\r\n%s", sid, rest)
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("%q: %v", rest, err)
				return
			}
			body, err := io.ReadAll(r.Body)
			if d := time.Since(start); d != 45*time.Second || r.StatusCode != 400 || string(body) != badRequest || err != nil {
				t.Errorf("%q: answered %d %q, %v after %v, want %q after 45 s", rest, r.StatusCode, body, err, d, badRequest)
			}
			s.wantEnd(engineio.PingTimeout)
		})
	}
}

// "POST of exactly application/octet-stream: 400, the session closes."
func TestBinaryPOST(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		if r := s.post(sid, "4a", "Content-Type", "application/octet-stream; x=y"); r.status != 200 {
			t.Errorf("with a parameter: %d %s", r.status, r.body)
		}
		if r := s.post(sid, "4a", "Content-Type", "application/octet-stream"); r.status != 400 || r.body != badRequest {
			t.Errorf("exactly: %d %s", r.status, r.body)
		}
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
	})
}

// "Over maxPayload: 413 (the session closes)", with and without a declared
// length.
func TestMaxPayload(t *testing.T) {
	o := &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}}
	big := "4" + strings.Repeat("x", 1000)
	inBubble(t, o, func(s *site) {
		sid := s.open()
		s.wantPost(sid, big[:999], 200, "ok")
		s.wantPost(sid, big[:1000], 200, "ok")
		if r := s.post(sid, big); r.status != 413 {
			t.Errorf("one byte over: %d %s", r.status, r.body)
		}
		s.wantEnd(engineio.TransportError)
		s.wantGet(sid, 400, unknownSession)
	})
	inBubble(t, o, func(s *site) {
		sid := s.open()
		rest, answer := s.postSlowly(s.t.Context(), sid)
		go func() {
			rest.Write([]byte(big))
			rest.Close()
		}()
		if r := <-answer; r.status != 413 {
			t.Errorf("without a length: %d %s", r.status, r.body)
		}
		rest.Close()
		s.wantEnd(engineio.TransportError)
	})
	inBubble(t, o, func(s *site) { // a client that asks first need not send it
		c, err := s.listener.DialContext(s.t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: example.com\r\n"+
			"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", s.open(), len(big))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != 413 {
			t.Errorf("the length alone: %v, %v; want 413", r, err)
		}
		s.wantEnd(engineio.TransportError)
	})
	inBubble(t, o, func(s *site) { // to a session that is over: the client can still close it too
		sid := s.open()
		s.session().Close()
		if r := s.post(sid, big); r.status != 413 {
			t.Errorf("after the end: %d %s", r.status, r.body)
		}
		s.wantEnd(engineio.ForcedServerClose)
		s.wantPost(sid, "1", 200, "ok")
		s.wantGet(sid, 400, unknownSession)
	})
	inBubble(t, o, func(s *site) {
		w := s.openWebSocket()
		w.send(big[:1000])
		w.want(big[:1000])
		w.send(big)
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
	})
}

// "An unknown packet type or bad base64 in a POST: 400 and the session
// closes"; what comes before is handled.
func TestParseErrorPOST(t *testing.T) {
	for _, body := range []string{"abc", "7", "", "4a\x1e", "b????", "4\xff", "4a\x1eabc"} {
		inBubble(t, nil, func(s *site) {
			sid := s.open()
			get := s.later(sid)
			s.wantPost(sid, body, 400, badRequest)
			s.wantEnd(engineio.ParseError)
			if r := <-get; body == "4a\x1e" || body == "4a\x1eabc" {
				if r.body != "4a" {
					t.Errorf("%q: GET %q, want what came before the error", body, r.body)
				}
			} else if r.status != 200 || r.body != "1" {
				t.Errorf("%q: GET %d %q, want 200 1", body, r.status, r.body)
			}
			s.wantGet(sid, 400, unknownSession)
		})
	}
}

// "On WebSocket: closed, parse error."
func TestParseErrorWebSocket(t *testing.T) {
	for _, packet := range []string{"abc", "7", "", "b????"} {
		inBubble(t, nil, func(s *site) {
			w := s.openWebSocket()
			w.send(packet)
			w.wantClosed()
			s.wantEnd(engineio.ParseError)
		})
	}
}

// "Binary: on WebSocket a binary frame without a type octet."
func TestWebSocketMessages(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.openWebSocket()
		for _, text := range []string{"4", "4hello", "4€", "4" + strings.Repeat("x", 900_000)} {
			w.send(text)
			w.want(text)
		}
		for _, data := range []string{"", "\x00\x01\x04", strings.Repeat("y", 700_000)} {
			w.sendBinary(data)
			w.want("binary:" + data)
		}
	})
}

// Packets that mean nothing change nothing.
func TestIdlePackets(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		s.wantPost(sid, "0\x1e3\x1e5\x1e6\x1e3probe\x1e4a", 200, "ok")
		s.wantGet(sid, 200, "4a")
		w := s.openWebSocket()
		for _, packet := range []string{"0", "3", "5", "6", "4a"} {
			w.send(packet)
		}
		w.want("4a")
		s.wantAlive()
	})
}

// A session whose queue grows over its limit closes, and the log names it.
func TestQueueBytes(t *testing.T) {
	log := new(lines)
	o := &engineio.Options{Limits: engineio.Limits{QueueBytes: 1000, PingInterval: time.Hour}, Logger: slog.New(slog.NewTextHandler(log, nil))}
	check := func(s *site, err error) {
		if err != engineio.ErrQueueFull {
			t.Errorf("over the limit: %v", err)
		}
		s.wantEnd(engineio.TransportError)
		if got := log.String(); !strings.Contains(got, "Limits.QueueBytes") || !strings.Contains(got, "limit=1000") {
			t.Errorf("log %q", got)
		}
		log.b.Reset()
	}
	inBubble(t, o, func(s *site) {
		sid := s.open()
		n := s.session()
		m := engineio.NewMessage(make([]byte, 199), false) // counts 360
		for range 2 {
			if err := n.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		check(s, n.Send(m))
		if err := n.Send(m); err != engineio.ErrClosed {
			t.Errorf("after the end: %v", err)
		}
		s.wantGet(sid, 400, unknownSession)
	})
	inBubble(t, o, func(s *site) {
		s.openWebSocket() // never reads
		n := s.session()
		big := engineio.NewMessage(make([]byte, 900), false)
		var err error
		for range 1 << 16 {
			if err = n.Send(big); err != nil {
				break
			}
		}
		check(s, err)
		if n.Writable() {
			t.Error("writable after the end")
		}
	})
}

// A receiver that is busy with a message hears at once that the queue has grown over its
// limit, though nothing reads from the WebSocket meanwhile.
func TestQueueBytesWhileBusy(t *testing.T) {
	o := &engineio.Options{Limits: engineio.Limits{QueueBytes: 1000, PingInterval: time.Hour}}
	withReceiver(t, o, func(e echo) engineio.Receiver { return slow{e} }, func(s *site) {
		s.openWebSocket().send("4a")
		n := s.session()
		var err error
		for range 1 << 16 {
			if err = n.Send(engineio.NewMessage(make([]byte, 900), false)); err != nil {
				break
			}
		}
		if err != engineio.ErrQueueFull {
			t.Errorf("over the limit: %v", err)
		}
		s.wantEnd(engineio.TransportError)
	})
}

// 10,000 messages in a loop are ordinary use, on either transport.
func TestSendManyMessages(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		m := engineio.NewMessage([]byte("x"), false)
		for range 10_000 {
			if err := n.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		s.wantGet(sid, 200, strings.Repeat("4x\x1e", 9_999)+"4x")
		w := s.openWebSocket()
		n = s.session()
		for range 10_000 {
			if err := n.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		for range 10_000 {
			w.want("4x")
		}
	})
}

// Failed requests are always answered, and leave nothing behind.
func TestFailedRequests(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		for i := range 1000 {
			for _, query := range []string{"transport=polling&sid=x", "transport=abc", "transport=websocket", "transport=websocket&sid=" + sid} {
				if r := s.must("GET", query, ""); r.status != 400 {
					t.Fatalf("%d: %s: %d", i, query, r.status)
				}
			}
		}
		s.wantAlive()
	})
}

// A client that hangs up before it has read its answer has lost it: the
// session closes.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, ends: make(chan engineio.Reason, 1)}
		server := newServer(t, func(n *engineio.Session) engineio.Receiver {
			n.Send(engineio.NewMessage([]byte("a"), false))
			return echo{s, n}
		}, nil)
		w := &brokenWriter{header: http.Header{}}
		r, _ := http.NewRequest("GET", base+"?EIO=4&transport=polling", nil)
		server.ServeHTTP(w, r)
		sid := strings.Split(w.body, `"`)[3]
		w.broken = true
		r, _ = http.NewRequest("GET", base+"?EIO=4&transport=polling&sid="+sid, nil)
		server.ServeHTTP(w, r)
		s.wantEnd(engineio.TransportError)
		w.broken = false
		server.ServeHTTP(w, r)
		if w.body != unknownSession {
			t.Errorf("after a lost answer: %q, want %q", w.body, unknownSession)
		}
	})
}

// A GET that was refused had nothing to lose: a client that hangs up before it has read the refusal
// keeps its session.
func TestLostRefusal(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid, _ := s.upgraded()
		r, _ := http.NewRequest("GET", base+"?EIO=4&transport=polling&sid="+sid, nil)
		s.server.ServeHTTP(&brokenWriter{header: http.Header{}, broken: true}, r)
		s.wantAlive()
	})
}

type brokenWriter struct {
	header http.Header
	body   string
	broken bool
}

func (w *brokenWriter) Header() http.Header { return w.header }
func (w *brokenWriter) WriteHeader(int)     {}
func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.broken {
		return 0, io.ErrClosedPipe
	}
	w.body = string(p)
	return len(p), nil
}

// A WebSocket that is cut is gone, whatever its client was about to say.
func TestCutWebSocket(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		w := s.openWebSocket()
		w.c.CloseNow()
		s.wantEnd(engineio.TransportClose)
	})
}

// A panic in open leaves nothing behind.
func TestOpenPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n *engineio.Session
		server := newServer(t, func(s *engineio.Session) engineio.Receiver {
			n = s
			panic("open")
		}, nil)
		func() {
			defer func() { recover() }()
			r, _ := http.NewRequest("GET", base+"?EIO=4&transport=polling", nil)
			server.ServeHTTP(&brokenWriter{header: http.Header{}}, r)
		}()
		if err := n.Send(engineio.NewMessage(nil, false)); err != engineio.ErrClosed {
			t.Errorf("Send on the session: %v", err)
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// A session without a receiver ends, and the log says why. It ends as a broken one does, also if the
// server has begun to shut down meanwhile.
func TestNoReceiver(t *testing.T) {
	log := new(lines)
	o := &engineio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	open := func() {}
	withReceiver(t, o, func(echo) engineio.Receiver { open(); return nil }, func(s *site) {
		s.wantGet(s.open(), 400, unknownSession)
		s.openWebSocket().wantClosed()
		if got := log.String(); strings.Count(got, "Receiver is nil") != 2 {
			t.Errorf("logged %q", got)
		}
		open = func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			s.server.Shutdown(ctx)
		}
		_, _, err := s.openWebSocket().c.Read(s.t.Context())
		if e, ok := errors.AsType[*conn.CloseError](err); !ok || e.Code != frame.StatusPolicyViolation {
			t.Errorf("closed with %v, want status 1008", err)
		}
	})
}

// The answer to a POST that is too long says where it ends, so that the connection can go on.
func TestTooLongLength(t *testing.T) {
	inBubble(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 10}}, func(s *site) {
		r := s.post(s.open(), strings.Repeat("4", 11))
		if got := r.header.Get("Content-Length"); r.status != 413 || got != strconv.Itoa(len(r.body)) {
			t.Errorf("%d %q, Content-Length %q", r.status, r.body, got)
		}
	})
}

// A message that is never compressed is the same message otherwise.
func TestUncompressed(t *testing.T) {
	inBubble(t, &engineio.Options{Deflate: &handshake.DeflateOptions{}}, func(s *site) {
		m := engineio.NewMessage([]byte(strings.Repeat("again ", 100)), false)
		sid := s.open()
		s.session().Send(m.Uncompressed())
		s.wantGet(sid, 200, "4"+strings.Repeat("again ", 100))
		w := s.openWebSocket()
		s.session().Send(m.Uncompressed(), m)
		w.want("4" + strings.Repeat("again ", 100))
		w.want("4" + strings.Repeat("again ", 100))
	})
}

// Send of no message leaves the GET waiting.
func TestSendNothing(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		get, n := s.later(sid), s.session()
		n.Send()
		s.wantWaiting(get)
		n.Send(engineio.NewMessage([]byte("a"), false))
		s.wantAnswer(get, 200, "4a")
	})
}

// A session that is closed again still has for the next GET what it had, and no WebSocket may
// come to it.
func TestClosedTwice(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		n := s.session()
		n.Send(engineio.NewMessage([]byte("a"), false))
		n.Close()
		n.Close()
		_, r, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket&sid=" + sid)
		if err == nil || r == nil || r.StatusCode != 400 {
			t.Errorf("a WebSocket: %v, %v; want 400", r, err)
		}
		s.wantGet(sid, 200, "4a")
		s.wantGet(sid, 200, "1")
	})
}

// A GET that the client cuts is nothing that Shutdown waits for.
func TestShutdownAfterCutGET(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sid := s.open()
		ctx, cut := context.WithCancel(s.t.Context())
		go s.do(ctx, "GET", "transport=polling&sid="+sid, "")
		synctest.Wait()
		cut()
		s.wantEnd(engineio.TransportError)
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}
