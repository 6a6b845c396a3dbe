package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// patience bounds steps that hang only if something is wrong.
const patience = 30 * time.Second

// start runs the command. It returns the address, a function that ends the command, and
// a channel for its result.
func start(t *testing.T, args ...string) (addr string, stop context.CancelFunc, ended chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	log, w := io.Pipe()
	ended = make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), w)
		w.Close()
	}()
	line, err := bufio.NewReader(log).ReadString('\n')
	if err != nil {
		t.Fatal(<-ended)
	}
	go io.Copy(io.Discard, log)
	addr, found := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if !found {
		t.Fatalf("it says %q", line)
	}
	t.Cleanup(stop)
	return addr, stop, ended
}

// A client speaks Socket.IO in raw text frames.
type client struct {
	t  *testing.T
	c  *conn.Conn
	id string
}

func dial(ctx context.Context, addr, origin string) (*conn.Conn, error) {
	c, _, err := conn.Dial(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket", &conn.DialOptions{
		Handshake: handshake.DialOptions{Header: http.Header{"Origin": {origin}}},
	})
	return c, err
}

func enter(t *testing.T, addr, auth string) *client {
	t.Helper()
	c, err := dial(t.Context(), addr, "http://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	s := &client{t: t, c: c}
	s.read() // the handshake
	s.send("40" + auth)
	if _, err := fmt.Sscanf(s.read(), `40{"sid":%q}`, &s.id); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *client) send(text string) {
	s.t.Helper()
	if err := s.c.Write(s.t.Context(), conn.Text, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *client) read() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	_, p, err := s.c.Read(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(p)
}

func (s *client) want(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if got := s.read(); got != text {
			s.t.Fatalf("got  %s\nwant %s", got, text)
		}
	}
}

// people returns the list of a room as JSON.
func people(list ...*client) string {
	names := []string{"Ann", "Bob"}
	var parts []string
	for i, s := range list {
		parts = append(parts, fmt.Sprintf(`{"id":%q,"name":%q}`, s.id, names[i]))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func TestChat(t *testing.T) {
	addr, stop, ended := start(t, "-v")
	ann, bob := enter(t, addr, `{"name":"Ann"}`), enter(t, addr, `{"name":" Bob "}`)

	ann.send(`420["join-room","tea"]`)
	ann.want(`42["people","tea",`+people(ann)+`]`, `430[`+people(ann)+`]`)
	bob.send(`42["join-room","tea"]`)
	bob.want(`42["people","tea",` + people(ann, bob) + `]`)
	ann.want(`42["people","tea",` + people(ann, bob) + `]`)

	// Only the others in the room get the message. A message that is refused has no
	// effect.
	bob.send(`421["message",{"room":"tea","message":""}]`)
	bob.want(`431[{"error":"no message"}]`)
	bob.send(`42["message",{"room":"coffee","message":"nobody hears this"}]`)
	bob.send(`42["typing","tea"]`)
	ann.want(`42["typing",{"id":"` + bob.id + `","name":"Bob"}]`)
	bob.send(`422["message",{"room":"tea","message":"<b>hi</b>"}]`)
	bob.want(`432[true]`)
	ann.want(`42["receive-message","<b>hi</b>",{"id":"` + bob.id + `","name":"Bob"}]`)

	bob.send(`423["leave-room","tea"]`)
	bob.want(`433[` + people(ann) + `]`)
	ann.want(`42["people","tea",` + people(ann) + `]`)
	bob.send(`42["join-room","tea"]`)
	ann.want(`42["people","tea",` + people(ann, bob) + `]`)
	bob.c.CloseNow()
	ann.want(`42["people","tea",` + people(ann) + `]`)

	stop()
	if _, _, err := ann.c.Read(t.Context()); err == nil {
		t.Error("the connection goes on after the shutdown")
	}
	if err := <-ended; err != nil {
		t.Error("run:", err)
	}
}

func TestGuest(t *testing.T) {
	addr, _, _ := start(t)
	for _, auth := range []string{``, `{"name":" "}`, `{"name":7}`, `{"name":"` + strings.Repeat("x", 41) + `"}`} {
		s := enter(t, addr, auth)
		s.send(`420["join-room",` + fmt.Sprintf("%q", s.id[:10]) + `]`)
		if got := s.read(); !strings.Contains(got, `"name":"Guest `+s.id[:4]+`"`) {
			t.Errorf("auth %s: %s", auth, got)
		}
	}
}

// One list applies to CORS and to the origins of WebSockets.
func TestOrigin(t *testing.T) {
	addr, _, _ := start(t, "-origin", "http://localhost:5173", "-origin", "https://example.com")
	for origin, want := range map[string]bool{
		"http://" + addr: true, "http://localhost:5173": true, "https://example.com": true,
		"http://localhost:5174": false, "https://example.com.evil.example": false,
	} {
		c, err := dial(t.Context(), addr, origin)
		if err == nil {
			c.CloseNow()
		}
		if (err == nil) != want {
			t.Errorf("WebSocket from %s: %v", origin, err)
		}
		r, _ := http.NewRequest("GET", "http://"+addr+"/socket.io/?EIO=4&transport=polling", nil)
		r.Header.Set("Origin", origin)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		allowed := response.Header.Get("Access-Control-Allow-Origin")
		if sameOrigin := origin == "http://"+addr; !sameOrigin && (allowed == origin) != want {
			t.Errorf("CORS for %s: %q", origin, allowed)
		}
	}
}

func TestPage(t *testing.T) {
	addr, _, _ := start(t)
	for path, want := range map[string]string{
		"/": "text/html", "/chat.js": "text/javascript", "/engine.js": "text/javascript",
		"/socket.js": "text/javascript", "/style.css": "text/css", "/none": "",
	} {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Content-Type"); (response.StatusCode == http.StatusOK) != (want != "") || !strings.HasPrefix(got, want) {
			t.Errorf("GET %s: %s, %s", path, response.Status, got)
		}
	}
}

func TestBadArguments(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, args := range [][]string{{"-none"}, {"-origin"}, {"-addr", busy.Addr().String()}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("run %q: no error", args)
		}
	}
}
