package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// Options that are wrong are refused where they are given, with the field, its
// value, and what to write instead.
func TestWrongOptions(t *testing.T) {
	away := errors.New("the broker is away")
	for _, tt := range []struct {
		o           socketio.Options
		field, text string
		is          error
	}{
		{socketio.Options{Engine: engineio.Options{Path: "socket.io/"}}, `Options.Engine: engine.io: Options.Path is "socket.io/"`, `"/socket.io/"`, nil},
		{socketio.Options{Engine: engineio.Options{CORS: &engineio.CORS{Origins: []string{"*"}, Credentials: true}}}, `Options.Engine: engine.io: Options.CORS.Origins[0] is "*"`, "Credentials", nil},
		{socketio.Options{ClientFiles: fstest.MapFS{"dist/socket.io.js": {}}}, "Options.ClientFiles is a fstest.MapFS without scripts", "client-dist", fs.ErrNotExist},
		{socketio.Options{Adapter: func(*socketio.Local) (socketio.Adapter, error) { return nil, away }}, "Options.Adapter: ", "away", away},
	} {
		tt.o.Logger = slog.New(slog.DiscardHandler)
		s, err := socketio.NewServer(&tt.o)
		if err == nil || s != nil {
			t.Errorf("no error, want one about %s", tt.field)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, "socket.io: "+tt.field) || !strings.Contains(got, tt.text) {
			t.Errorf("got  %s\nwant socket.io: %s: ... %s", got, tt.field, tt.text)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%v is no %v", err, tt.is)
		}
	}
}

// A folder that has any of the scripts is one of those that are meant.
func TestAnyClientFile(t *testing.T) {
	for _, name := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"} {
		if _, err := socketio.NewServer(&socketio.Options{ClientFiles: fstest.MapFS{name: {}}}); err != nil {
			t.Error(err)
		}
	}
}

// A nil function is refused where it is given, and not when it is called.
func TestNilFunctions(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sockets := s.sockets(nil)
		c := s.start(s.dialOptions("websocket", socketio.DialOptions{}))
		r := s.client()
		n := <-sockets
		for name, f := range map[string]func(){
			"OfPattern":       func() { s.io.OfPattern(nil) },
			"OfFunc":          func() { s.io.OfFunc(nil) },
			"Namespace.Use":   func() { s.io.Use(nil) },
			"OnConnect":       func() { s.io.OnConnect(nil) },
			"OnServerEvent":   func() { s.io.OnServerEvent("e", nil) },
			"OnEvent":         func() { n.OnEvent("e", nil) },
			"Socket.Use":      func() { n.Use(nil) },
			"OnAny":           func() { n.OnAny(nil) },
			"OnAnyOutgoing":   func() { n.OnAnyOutgoing(nil) },
			"OnDisconnecting": func() { n.OnDisconnecting(nil) },
			"OnDisconnect":    func() { n.OnDisconnect(nil) },
			"On":              func() { socketio.On[int](n, "e", nil) },
			"On2":             func() { socketio.On2[int, int](n, "e", nil) },
			"Handle":          func() { socketio.Handle[int, int](n, "e", nil) },
			"Handle2":         func() { socketio.Handle2[int, int, int](n, "e", nil) },

			"OnConnect of a Client":    func() { c.OnConnect(nil) },
			"OnDisconnect of a Client": func() { c.OnDisconnect(nil) },
			"OnConnectError":           func() { c.OnConnectError(nil) },
			"OnReconnectAttempt":       func() { c.OnReconnectAttempt(nil) },
			"OnReconnect":              func() { c.OnReconnect(nil) },
			"OnReconnectFailed":        func() { c.OnReconnectFailed(nil) },
		} {
			func() {
				defer func() {
					name := strings.TrimSuffix(name, " of a Client")
					if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "socketio: "+name+": nil ") {
						t.Errorf("%s: panic %q", name, got)
					}
				}()
				f()
			}()
		}
		r.send(`2["e",1]`)
		r.wantNothing()
		if got := s.log.String(); got != "" {
			t.Errorf("logged %q", got)
		}
	})
}

// A negative limit is none: each is gone over by more than its default.
func TestNoLimits(t *testing.T) {
	o := &socketio.Options{
		Engine: engineio.Options{Limits: engineio.Limits{PingInterval: 20 * 24 * time.Hour}},
		Limits: socketio.Limits{
			ConnectTimeout: -1, AttachmentTimeout: -1, AttachmentBytes: -1, AckTimeout: -1,
			PendingAcks: -1, Rooms: -1, Namespaces: -1, HandlerQueueBytes: -1,
		},
	}
	const long = 10 * 24 * time.Hour
	inBubble(t, o, func(s *site) {
		var n *socketio.Socket
		release := make(chan struct{})
		received := make(chan int, 1)
		s.io.OnConnect(func(c *socketio.Socket) {
			n = c
			socketio.On2(n, "binary", func(_ context.Context, a, b []byte) error {
				received <- len(a) + len(b)
				return nil
			})
			socketio.On(n, "text", func(context.Context, string) error {
				<-release
				return nil
			})
		})
		r := s.dial()
		time.Sleep(long) // ConnectTimeout
		r.connect("")
		for i := range 40 { // Namespaces
			name := fmt.Sprintf("/%d", i)
			s.io.Of(name)
			r.connect(name + ",")
		}
		synctest.Wait()
		for i := range 1100 { // Rooms
			if err := n.Join(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		r.send(`52-["binary",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		big := strings.Repeat("x", 900_000)
		r.sendBinary(big)
		time.Sleep(long / 2) // AttachmentTimeout
		r.sendBinary(big)    // AttachmentBytes
		if got := <-received; got != 1_800_000 {
			t.Errorf("%d bytes of attachments", got)
		}
		answers := make(chan error, 1100)
		for range cap(answers) { // PendingAcks
			go func() {
				_, err := socketio.Call[any](context.Background(), n, "q")
				answers <- err
			}()
		}
		for range cap(answers) {
			r.read()
		}
		time.Sleep(time.Hour) // AckTimeout
		for range 10 {        // HandlerQueueBytes
			r.send(`2["text","` + big + `"]`)
		}
		for i := range cap(answers) {
			r.send(fmt.Sprintf("3%d[1]", i))
		}
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Fatal(err)
			}
		}
		close(release)
		r.wantNothing()
	})
}

// So it is with those of Recovery.
func TestRecoveryNoLimits(t *testing.T) {
	o := &socketio.Options{
		Engine:   engineio.Options{Limits: engineio.Limits{QueueBytes: -1}},
		Recovery: &socketio.Recovery{MaxAge: -1, EventBytes: -1, Sessions: -1},
	}
	inBubble(t, o, func(s *site) {
		r := s.client()
		synctest.Wait()
		s.io.Emit("x")
		_, last := offset(t, r.read())
		r.c.CloseNow()
		synctest.Wait()
		big := strings.Repeat("x", 1<<20)
		for range 20 { // EventBytes
			s.io.Emit("big", big)
		}
		time.Sleep(100 * 24 * time.Hour) // MaxAge
		again, sid := s.comeBack(r.pid, last)
		if sid != r.sid {
			t.Fatal("not recovered")
		}
		for range 20 {
			again.read()
		}
	})
}
