package engineio_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
)

// A counter is a receiver that sends its numbers without being asked, and
// checks those that come.
type counter struct {
	t    *testing.T
	s    *engineio.Session
	next int
	done chan<- struct{}
}

const numbers = 100

func (c *counter) Message(data []byte, _ bool) {
	if string(data) != fmt.Sprint(c.next) {
		c.t.Errorf("received %q, want %d", data, c.next)
	}
	if c.next++; c.next == numbers {
		c.done <- struct{}{}
	}
}

func (c *counter) Closed(engineio.Reason) {}

// Upgrades under load, over real connections: both sides send all the time,
// and nothing is lost, doubled or reordered.
func TestUpgradesUnderLoad(t *testing.T) {
	const sessions = 30
	done := make(chan struct{}, sessions)
	server := newServer(t, func(s *engineio.Session) engineio.Receiver {
		go func() {
			for i := range numbers {
				s.Send(engineio.NewMessage(fmt.Append(nil, i), false))
			}
		}()
		return &counter{t: t, s: s, done: done}
	}, &engineio.Options{Limits: engineio.Limits{PingInterval: time.Hour, UpgradeTimeout: -1}}) // no luck with timing
	web := httptest.NewServer(server)
	defer web.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * sessions}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	for range sessions {
		all.Go(func() { moveUnderLoad(t, client, web.URL+"/engine.io/") })
	}
	all.Wait()
	for range sessions {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("messages from a client were lost")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func fetch(t *testing.T, client *http.Client, method, url, body string) string {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("%s: %d %v", method, resp.StatusCode, err)
	}
	return string(b)
}

// moveUnderLoad is a client that behaves like the JavaScript one.
func moveUnderLoad(t *testing.T, client *http.Client, base string) {
	open := fetch(t, client, "GET", base+"?EIO=4&transport=polling", "")
	sid := strings.Split(open, `"`)[3]
	url := base + "?EIO=4&transport=polling&sid=" + sid
	received := 0
	take := func(packet string) {
		if packet == "6" {
			return
		}
		if packet != fmt.Sprint("4", received) {
			t.Errorf("received %q, want number %d", packet, received)
		}
		received++
	}
	var polls, posts sync.WaitGroup
	pause := make(chan struct{})
	polls.Go(func() {
		for {
			select {
			case <-pause:
				return
			default:
			}
			for packet := range strings.SplitSeq(fetch(t, client, "GET", url, ""), "\x1e") {
				take(packet)
			}
			if t.Failed() {
				return
			}
		}
	})
	const half = numbers / 2
	posts.Go(func() {
		for i := range half {
			fetch(t, client, "POST", url, fmt.Sprint("4", i))
		}
	})
	c, _, err := conn.Dial(t.Context(), base+"?EIO=4&transport=websocket&sid="+sid,
		&conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: client}})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.CloseNow()
	write := func(packet string) {
		if err := c.Write(t.Context(), conn.Text, []byte(packet)); err != nil {
			t.Errorf("write: %v", err)
		}
	}
	write("2probe")
	if _, p, err := c.Read(t.Context()); string(p) != "3probe" {
		t.Errorf("probe: %q, %v", p, err)
		return
	}
	posts.Wait()
	close(pause)
	polls.Wait()
	write("5")
	for i := range half {
		write(fmt.Sprint("4", half+i))
	}
	for received < numbers && !t.Failed() {
		_, p, err := c.Read(t.Context())
		if err != nil {
			t.Errorf("read: %v", err)
			return
		}
		take(string(p))
	}
}
