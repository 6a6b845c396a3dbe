package socketio_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// A puppet is a server on WebSocket that says what a test tells it to say, in a bubble.
type puppet struct {
	t         *testing.T
	http      *http.Client
	log       *logbook
	onConnect func() // called when a client asks for a namespace; nil: the server agrees
	most      int    // the bytes that it takes in a message

	mu   sync.Mutex
	conn *conn.Conn // the last one
	got  []string   // the messages that have come, without pongs
}

func newPuppet(t *testing.T) *puppet {
	p := &puppet{t: t, log: new(logbook), most: 1000}
	l := pipe.Listen()
	server := &conn.Server{Serve: p.serve}
	web := &http.Server{Handler: server}
	go web.Serve(l)
	transport := &http.Transport{DialContext: l.DialContext}
	p.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		transport.CloseIdleConnections()
		web.Close()
		l.Close()
	})
	return p
}

func (p *puppet) serve(ctx context.Context, c *conn.Conn, _ *http.Request) error {
	p.mu.Lock()
	p.conn = c
	p.mu.Unlock()
	p.send(fmt.Sprintf(`0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":%d}`, p.most))
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			return err
		}
		text := string(b)
		p.mu.Lock()
		if text != "3" {
			p.got = append(p.got, text)
		}
		p.mu.Unlock()
		if !strings.HasPrefix(text, "40") {
			continue
		}
		if p.onConnect != nil {
			p.onConnect()
			continue
		}
		namespace, _, _ := strings.Cut(text[2:], "{")
		p.send("40" + namespace + `{"sid":"id"}`)
	}
}

// send sends text, and data as binary.
func (p *puppet) send(text string, data ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// An error means that the client has closed the connection, which tests see there.
	_ = p.conn.Write(context.Background(), conn.Text, []byte(text))
	for _, b := range data {
		_ = p.conn.Write(context.Background(), conn.Binary, b)
	}
}

// take returns the messages that have come, and forgets them.
func (p *puppet) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

// dial returns a client of the puppet, whose options o may be nil.
func (p *puppet) dial(o *socketio.DialOptions) (*socketio.Client, error) {
	c, err := socketio.Dial(p.t.Context(), "http://example.com", p.options(o))
	if err == nil {
		p.t.Cleanup(func() { closeClient(p.t, c) })
	}
	return c, err
}

// options returns o, which may be nil, for a client of the puppet.
func (p *puppet) options(o *socketio.DialOptions) *socketio.DialOptions {
	var copied socketio.DialOptions
	if o != nil {
		copied = *o
	}
	copied.Engine = engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: p.http}
	copied.Logger = slog.New(slog.NewTextHandler(p.log, nil))
	return &copied
}

// start is dial of a client that must be there.
func (p *puppet) start(o *socketio.DialOptions) *socketio.Client {
	p.t.Helper()
	c, err := p.dial(o)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}
