package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// patience bounds steps that hang only if something is wrong.
const patience = 30 * time.Second

// start runs the command. It returns the address, a function that ends the command, and
// a channel for its result.
func start(t *testing.T, args ...string) (addr string, stop context.CancelFunc, ended chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
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
	return addr, stop, ended
}

func dial(t *testing.T, ctx context.Context, addr string) *conn.Conn {
	t.Helper()
	c, _, err := conn.Dial(ctx, "ws://"+addr+"/any/path?at=all", &conn.DialOptions{
		Handshake: handshake.DialOptions{Deflate: &handshake.DeflateOptions{}},
		Conn:      conn.Options{Limits: conn.Limits{Message: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func TestEcho(t *testing.T) {
	for _, flags := range []string{"", "-deflate", "-raw", "-raw -deflate", "-keepalive=-1s -max=-1"} {
		t.Run(flags, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			addr, stop, ended := start(t, strings.Fields(flags)...)
			c := dial(t, ctx, addr)
			for _, m := range []conn.Message{
				{Type: conn.Text, Payload: []byte("žluťoučký kůň")},
				{Type: conn.Text},
				{Type: conn.Binary, Payload: make([]byte, 1<<20)},
			} {
				if err := c.Write(ctx, m.Type, m.Payload); err != nil {
					t.Fatal(err)
				}
				op, p, err := c.Read(ctx)
				if err != nil || op != m.Type || string(p) != string(m.Payload) {
					t.Fatalf("%v of %d octets came back as %v of %d: %v", m.Type, len(m.Payload), op, len(p), err)
				}
			}
			stop()
			wantClose(t, ctx, c, frame.StatusGoingAway)
			if err := <-ended; err != nil {
				t.Error("run:", err)
			}
		})
	}
}

func TestMax(t *testing.T) {
	for _, flags := range []string{"-max 1000", "-max 1000 -raw"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		addr, _, _ := start(t, strings.Fields(flags)...)
		c := dial(t, ctx, addr)
		if err := c.Write(ctx, conn.Binary, make([]byte, 1001)); err != nil {
			t.Fatal(err)
		}
		wantClose(t, ctx, c, frame.StatusMessageTooBig)
	}
}

func wantClose(t *testing.T, ctx context.Context, c *conn.Conn, want frame.StatusCode) {
	t.Helper()
	_, _, err := c.Read(ctx)
	closed, ok := errors.AsType[*conn.CloseError](err)
	if !ok || closed.Code != want {
		t.Fatalf("Read: %v, want the peer's Close with %v", err, want)
	}
}

func TestPage(t *testing.T) {
	addr, _, _ := start(t)
	for path, want := range map[string]int{"/": http.StatusOK, "/other": http.StatusUpgradeRequired} {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != want {
			t.Errorf("GET %s: %s, %v", path, response.Status, err)
		}
		if html := strings.Contains(string(body), "new WebSocket("); html != (want == http.StatusOK) {
			t.Errorf("GET %s: the page is there: %v", path, html)
		}
	}
}

func TestBadArguments(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, args := range [][]string{{"-none"}, {"-max", "many"}, {"-addr", busy.Addr().String()}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("run %q: no error", args)
		}
	}
}
