package msgpack_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// A client speaks raw packets over WebSocket.
type client struct {
	t *testing.T
	c *conn.Conn
}

// dial connects to a server with these options and handlers, and joins the root
// namespace.
func dial(t *testing.T, o socketio.Options, connect func(*socketio.Socket)) (*client, *socketio.Server, map[string]any) {
	t.Helper()
	o.Parser = msgpack.Parser{}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	server, err := socketio.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	server.OnConnect(connect)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	c := again(t, web.URL)
	c.send(parser.Packet{Type: parser.Connect}, `{"token":"secret","key":"AQID"}`)
	answer := c.receive()
	var data map[string]any
	if err := json.Unmarshal(answer.Data, &data); err != nil || answer.Type != parser.Connect {
		t.Fatalf("the answer is %v, %s", answer.Type, answer.Data)
	}
	data["url"] = web.URL
	return c, server, data
}

// again opens another connection.
func again(t *testing.T, url string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, _, err := conn.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	if _, open, err := c.Read(ctx); err != nil || open[0] != '0' {
		t.Fatalf("no open packet: %q, %v", open, err)
	}
	return &client{t, c}
}

func (c *client) send(p parser.Packet, data string, pieces ...string) {
	c.t.Helper()
	message, _ := msgpack.Parser{}.Encode(packet(p, data, pieces...))
	c.write(conn.Binary, message)
}

func (c *client) write(kind conn.MessageType, message []byte) {
	c.t.Helper()
	if err := c.c.Write(context.Background(), kind, message); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() *parser.Packet {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kind, message, err := c.c.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	p := new(parser.Packet)
	if err := (msgpack.Parser{}).Parse(p, message, limits); err != nil || kind != conn.Binary {
		c.t.Fatalf("received %x: %v", message, err)
	}
	return p
}

// want receives a packet of a type with this data.
func (c *client) want(typ parser.Type, data string, pieces ...string) *parser.Packet {
	c.t.Helper()
	p := c.receive()
	if got := written(p); p.Type != typ || got != data {
		c.t.Fatalf("received %v %s, want %v %s", p.Type, got, typ, data)
	}
	for i, piece := range pieces {
		if string(p.Binary[i]) != piece {
			c.t.Errorf("piece %d is %q, want %q", i, p.Binary[i], piece)
		}
	}
	return p
}

// file has fields with a tag, without one, and with methods for JSON.
type file struct {
	Name  string `json:"title"`
	Parts [][]byte
	When  time.Time
	Raw   json.RawMessage
	Skip  string `json:"-"`
	Big   uint64 `json:",string"`
	Blank string `json:",omitempty"`
}

// Handlers do not know which parser their server has.
func TestServer(t *testing.T) {
	ready := make(chan *socketio.Socket, 1)
	c, server, _ := dial(t, socketio.Options{}, func(s *socketio.Socket) {
		socketio.Handle(s, "file", func(_ context.Context, f file) (file, error) {
			f.Skip = "never"
			return f, nil
		})
		s.OnEvent("all", func(e *socketio.Event) error {
			args, err := e.Args()
			return errors.Join(err, e.Ack(args...))
		})
		s.Use(func(e *socketio.Event) error {
			if e.Name() == "old" {
				return e.Replace("all", []byte("new"), 1)
			}
			return nil
		})
		ready <- s
	})
	s := <-ready
	auth, err := socketio.Auth[struct {
		Token string
		Key   []byte
	}](s)
	if err != nil || auth.Token != "secret" || string(auth.Key) != "\x01\x02\x03" {
		t.Errorf("auth %+v, %v", auth, err)
	}

	c.send(parser.Packet{Type: parser.Event, HasID: true, ID: 1},
		`["file",{"title":"n","parts":[@0,@1],"when":"2026-11-27T23:30:01.25Z","RAW":[1,{"a":null}],"Big":"18446744073709551615"}]`, "one", "")
	c.want(parser.Ack, `[{"title":"n","Parts":[@0,@1],"When":"2026-11-27T23:30:01.25Z","Raw":[1,{"a":null}],"Big":"18446744073709551615"}]`, "one", "")
	c.send(parser.Packet{Type: parser.Event, HasID: true, ID: 2}, `["all",null,1.5,{"a":@0},{"_placeholder":true,"num":0}]`, "x")
	if p := c.want(parser.Ack, `[null,1.5,{"a":@0},{"_placeholder":true,"num":0}]`, "x"); !p.HasID || p.ID != 2 {
		t.Errorf("acknowledgement %+v", p)
	}
	c.send(parser.Packet{Type: parser.Event, HasID: true, ID: 3}, `["old"]`)
	c.want(parser.Ack, `[@0,1]`, "new")

	if err := s.Join("room"); err != nil {
		t.Fatal(err)
	}
	server.To("room").Emit("news", map[string]any{"data": []byte("y")}, time.UnixMilli(0).UTC())
	c.want(parser.Event, `["news",{"data":@0},"1970-01-01T00:00:00Z"]`, "y")

	answers := make(chan []byte, 1)
	go func() {
		answer, err := socketio.Call[[]byte](context.Background(), s, "ask", 1)
		if err != nil {
			t.Error(err)
		}
		answers <- answer
	}()
	asked := c.want(parser.Event, `["ask",1]`)
	c.send(parser.Packet{Type: parser.Ack, HasID: asked.HasID, ID: asked.ID}, `[@0]`, "answer")
	if got := <-answers; string(got) != "answer" {
		t.Errorf("the answer is %q", got)
	}

	c.send(parser.Packet{Type: parser.Connect, Namespace: []byte("/nowhere")}, "")
	if p := c.want(parser.ConnectError, `{"message":"Invalid namespace"}`); string(p.Namespace) != "/nowhere" {
		t.Errorf("namespace %s", p.Namespace)
	}
	s.Disconnect(false)
	c.want(parser.Disconnect, "")
}

// A client that was away gets what it missed, each event with its offset.
func TestRecovery(t *testing.T) {
	ready, gone := make(chan *socketio.Socket, 2), make(chan struct{}, 1)
	c, server, answer := dial(t, socketio.Options{Recovery: &socketio.Recovery{}}, func(s *socketio.Socket) {
		s.OnDisconnect(func(socketio.Reason) { gone <- struct{}{} })
		s.OnEvent("settled", func(e *socketio.Event) error { return e.Ack() })
		ready <- s
	})
	<-ready
	c.send(parser.Packet{Type: parser.Event, HasID: true, ID: 1}, `["settled"]`)
	c.want(parser.Ack, `[]`) // the connect handler has returned
	offset := func(p *parser.Packet) (offset string) {
		last := p.Args[len(p.Args)-1]
		if err := json.Unmarshal(p.Data[last.Start:last.End], &offset); err != nil || offset == "" {
			t.Fatalf("%s has no offset: %v", p.Data, err)
		}
		return offset
	}
	server.Emit("first", []byte("x"))
	first := offset(c.receive())
	c.c.CloseNow()
	<-gone
	server.Emit("missed", []byte("y"))
	c = again(t, answer["url"].(string))
	claim, _ := json.Marshal(map[string]any{"pid": answer["pid"], "offset": first})
	c.send(parser.Packet{Type: parser.Connect}, string(claim))
	c.receive()
	missed := c.receive()
	if !bytes.HasPrefix(missed.Data, []byte(`["missed",{"_placeholder"`)) || string(missed.Binary[0]) != "y" || offset(missed) == first {
		t.Errorf("missed %s with %q", missed.Data, missed.Binary)
	}
	if s := <-ready; !s.Recovered() {
		t.Error("the socket was not recovered")
	}
}

// Who breaks a rule is closed, with one line in the log.
func TestHostile(t *testing.T) {
	for name, tt := range map[string]struct {
		text    bool
		message string
		log     string
	}{
		"text":            {true, hex.EncodeToString([]byte(`42["a"]`)), "text where packets are binary"},
		"not MessagePack": {false, "c1", "packet is not a map"},
		"reserved name":   {false, "83a47479706502a36e7370a12fa46461746191aa646973636f6e6e656374", "event name is reserved"},
		"no name":         {false, "83a47479706502a36e7370a12fa46461746190", "payload does not fit the packet type"},
		"no array":        {false, "83a47479706502a36e7370a12fa46461746180", "payload does not fit the packet type"},
		"another's":       {false, "82a47479706501a36e7370a22f78", "namespace that was not joined"},
		"connected twice": {false, "82a47479706500a36e7370a12f", "second CONNECT"},
		"attachments":     {false, "83a47479706502a36e7370a12fa46461746193a165c400c400", "more attachments than Limits.Attachments"},
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			o := socketio.Options{Limits: socketio.Limits{Attachments: 1}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			ready, gone := make(chan struct{}), make(chan struct{})
			c, _, _ := dial(t, o, func(s *socketio.Socket) {
				s.OnDisconnect(func(socketio.Reason) { close(gone) })
				close(ready)
			})
			<-ready
			kind := conn.Binary
			if tt.text {
				kind = conn.Text
			}
			message := unhex(t, tt.message)
			c.write(kind, message)
			<-gone
			if got := log.String(); strings.Count(got, "level=INFO") != 1 || !strings.Contains(got, tt.log) {
				t.Errorf("the log is %s", got)
			}
		})
	}
}

// An emission with more binary data than the limit is refused, and with a higher
// limit it is sent.
func TestAttachments(t *testing.T) {
	many := make([][]byte, 12)
	for i := range many {
		many[i] = []byte{byte(i)}
	}
	for limit, refused := range map[int]bool{0: true, 11: true, 12: false, -1: false} {
		_, server, _ := dial(t, socketio.Options{Limits: socketio.Limits{Attachments: limit}}, func(*socketio.Socket) {})
		if err := server.Emit("many", many); (err != nil) != refused {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// A lockedBuffer is the output of a logger.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
