package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// What the command has outside of tests.
var suiteLimits, suiteConnectTimeout = limits, connectTimeout

// TestMain makes the timeouts so long that no busy machine needs them.
func TestMain(m *testing.M) {
	limits.PingInterval, limits.PingTimeout, connectTimeout = time.Minute, time.Minute, time.Minute
	os.Exit(m.Run())
}

// The suites expect short timeouts.
func TestLimits(t *testing.T) {
	want := engineio.Limits{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 1_000_000}
	if suiteLimits != want || suiteConnectTimeout != time.Second {
		t.Errorf("limits %+v, ConnectTimeout %v", suiteLimits, suiteConnectTimeout)
	}
}

// start runs the command and returns its address.
func start(t *testing.T) (addr string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	log, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0"}, w)
		w.Close()
	}()
	line, err := bufio.NewReader(log).ReadString('\n')
	if err != nil {
		t.Fatal(<-ended)
	}
	go io.Copy(io.Discard, log)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("run:", err)
		}
	})
	return strings.TrimPrefix(strings.TrimSpace(line), "listening on http://")
}

// exchange opens a WebSocket, skips the handshake, sends the given packets and expects
// the given answers. It ignores pings.
func exchange(t *testing.T, path string, steps ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, _, err := conn.Dial(ctx, "ws://"+path+"?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	read := func() string {
		for {
			op, p, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if op == conn.Binary {
				return "binary:" + string(p)
			}
			if string(p) != "2" {
				return string(p)
			}
			if err := c.Write(ctx, conn.Text, []byte("3")); err != nil {
				t.Fatal(err)
			}
		}
	}
	handshake := read()
	if !strings.Contains(handshake, `"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000`) {
		t.Errorf("handshake %s", handshake)
	}
	for _, step := range steps {
		op, text := conn.Text, step[1:]
		if data, ok := strings.CutPrefix(text, "binary:"); ok && step[0] == '>' {
			op, text = conn.Binary, data
		}
		if step[0] == '>' {
			if err := c.Write(ctx, op, []byte(text)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got := read(); !strings.HasPrefix(got, text) {
			t.Fatalf("got  %s\nwant %s", got, text)
		}
	}
}

func TestEngine(t *testing.T) {
	addr := start(t)
	exchange(t, addr+"/engine.io/", ">4text", "<4text", ">binary:\x00\x01", "<binary:\x00\x01", ">4", "<4")
}

func TestSockets(t *testing.T) {
	addr := start(t)
	exchange(t, addr+"/socket.io/",
		">40", `<40{"sid":"`, `<42["auth",{}]`,
		`>40/custom,{"token":"abc"}`, `<40/custom,{"sid":"`, `<42/custom,["auth",{"token":"abc"}]`,
		`>42["message",1,"2",{"3":[true]}]`, `<42["message-back",1,"2",{"3":[true]}]`,
		`>452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, ">binary:a", ">binary:b",
		`<452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "<binary:a", "<binary:b",
		`>42456["message-with-ack",1,"2"]`, `<43456[1,"2"]`,
		`>40/random`, `<44/random,{"message":"Invalid namespace"}`)
}

func TestElsewhere(t *testing.T) {
	response, err := http.Get("http://" + start(t) + "/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Error(response.Status)
	}
}
