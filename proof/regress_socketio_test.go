package proof

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/wstest"
)

// placeholders stand for no attachment.
var placeholders = []string{`"0"`, `-1`, `1`, `99`, `0.5`, `1e0`, `null`, `{}`, `[0]`, `true`, `18446744073709551616`, `"__proto__"`}

// nameless are events whose name is no string.
var nameless = []string{`42[{}]`, `42[{"toString":"x"}]`, `42[["e"]]`, `42[null]`, `42[true]`, `42[]`, `42{"0":"e"}`, `42"e"`, `42`}

// socketRegressions are known failures of Engine.IO, Socket.IO and their adapters.
var socketRegressions = []regression{
	{
		kind: "attachments are announced and never sent", in: both, says: "attachments",
		trip: func(a *arena) {
			a.chat(nil)
			for _, packet := range []string{`459007199254740993-["echo"]`, `4599999999999999999999-["echo"]`, `45-1-["echo"]`, `4511-["echo"]`} {
				p := a.session()
				start := time.Now()
				p.Send(wstest.Text(packet))
				a.wantOver(p)
				if d := time.Since(start); d > 10*time.Second {
					a.Errorf("%s: after %v", packet, d)
				}
			}
			p := a.session()
			start := time.Now()
			p.Send(wstest.Text(`452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), wstest.Binary(make([]byte, 900_000)))
			go func() { // alive, but for the second one
				for range 5 {
					time.Sleep(10 * time.Second)
					p.NetConn().Write(a.wire(wstest.Text("3")))
				}
			}()
			a.wantOver(p)
			if d := time.Since(start); d < 30*time.Second || d > 37*time.Second {
				a.Errorf("after %v", d)
			}
		},
	},
	{
		kind: "placeholders with a number that is none", in: both, says: "placeholder",
		trip: func(a *arena) {
			a.chat(nil)
			for _, num := range placeholders {
				p := a.session()
				p.Send(wstest.Text(`451-["echo",{"_placeholder":true,"num":`+num+`}]`), wstest.Binary([]byte("a")))
				a.wantOver(p)
			}
		},
	},
	{
		kind: "placeholders with a number that is none, from a server", in: []shell{aClient}, says: "placeholder",
		trip: func(a *arena) {
			_, peers := a.socket(nil)
			for _, num := range placeholders {
				(<-peers).Send(wstest.Text(`451-["e",{"_placeholder":true,"num":`+num+`}]`), wstest.Binary([]byte("a")))
			}
			<-peers
		},
	},
	{
		kind: "names of events that are objects", in: both, says: "payload does not fit",
		trip: func(a *arena) {
			a.chat(nil)
			for _, packet := range nameless {
				p := a.session()
				p.Send(wstest.Text(packet))
				a.wantOver(p)
			}
		},
	},
	{
		kind: "names of events that are objects, from a server", in: []shell{aClient}, says: "payload does not fit",
		trip: func(a *arena) {
			_, peers := a.socket(nil)
			for _, packet := range nameless {
				(<-peers).Send(wstest.Text(packet))
			}
			<-peers
		},
	},
	{
		kind: "a POST with a binary type is never answered", in: both, says: "application/octet-stream", proof: "engineio TestFailedRequestsLeaveNothing",
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			for _, contentType := range []string{"application/octet-stream", "application/octet-stream; charset=x", "APPLICATION/OCTET-STREAM"} {
				sid := a.polling(c)
				a.wantStatus(400, "POST /socket.io/?EIO=4&transport=polling&sid="+sid+" HTTP/1.1\r\nHost: example.com\r\n"+
					"Content-Type: "+contentType+"\r\nContent-Length: 3\r\n\r\n\x04ab")
			}
			sid := a.polling(c)
			if r := a.answer("POST /socket.io/?EIO=4&transport=polling&sid=" + sid + " HTTP/1.1\r\nHost: example.com\r\nContent-Type: image/png;;\"\r\nContent-Length: 2\r\n\r\n40"); r.StatusCode != 200 {
				a.Errorf("another type: %s", r.Status)
			}
		},
	},
	{
		kind: "a handshake that fails leaves its session, with timers", in: both, holds: 1 << 20,
		trip: func(a *arena) {
			io := a.chat(nil)
			time.Sleep(time.Second) // the honest client moves to WebSocket
			before := io.Sessions()
			for range 300 {
				for _, request := range []string{
					strings.Replace(upgrade, "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA", 1), strings.Replace(upgrade, ": 13", ": 12", 1), upgrade + "Content-Length: 3\r\n",
				} {
					if r := a.answer(strings.Replace(request, "GET / ", "GET "+webSocketTarget+" ", 1) + "\r\n"); r.StatusCode/100 != 4 {
						a.Fatalf("%s", r.Status)
					}
				}
			}
			if after := io.Sessions(); after != before {
				a.Errorf("%+v, and %+v before", after, before)
			}
		},
	},
	{
		kind: "acknowledgements are never forgotten", in: both,
		trip: func(a *arena) {
			io := a.chat(nil)
			done := make(chan struct{})
			io.OnConnect(func(s *socketio.Socket) {
				go func() {
					defer close(done)
					for range 5000 {
						ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
						if _, err := socketio.Call[any](ctx, s, "question"); !errors.Is(err, context.DeadlineExceeded) {
							a.Errorf("%v", err)
						}
						cancel()
					}
				}()
			})
			p := a.session()
			go func() {
				for {
					if f, err := p.Next(); err != nil || f.Header.Opcode == frame.Close {
						return
					}
				}
			}()
			<-done
			for n := range 5000 { // late, and twice
				answer := a.wire(wstest.Text(fmt.Sprintf(`43%d["late"]`, n)))
				p.NetConn().Write(append(answer, answer...))
			}
		},
	},
	{
		kind: "acknowledgements are never forgotten, by a client", in: []shell{aClient},
		trip: func(a *arena) {
			c, peers := a.socket(nil)
			p := <-peers
			go func() {
				for {
					if f, err := p.Next(); err != nil || f.Header.Opcode == frame.Close {
						return
					}
				}
			}()
			for range 5000 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
				if _, err := socketio.Call[any](ctx, c, "question"); !errors.Is(err, context.DeadlineExceeded) {
					a.Errorf("%v", err)
				}
				cancel()
			}
			for n := range 5000 {
				answer := a.wire(wstest.Text(fmt.Sprintf(`43%d["late"]`, n)))
				p.NetConn().Write(append(answer, answer...))
			}
			a.settle()
			if !c.Connected() {
				a.Error("late answers have ended the connection")
			}
		},
	},
	{
		kind: "a broker's error stops local delivery", in: both, says: "the broker is away", proof: "adapters/redis TestBrokenBroker",
		trip: func(a *arena) {
			io := a.chat(&socketio.Options{Adapter: func(*socketio.Local) (socketio.Adapter, error) { return away{}, nil }})
			p := a.session()
			time.Sleep(time.Second)
			for range 3 {
				a.tell("%v", io.Emit("news"))
				a.wantText(p, `42["news"]`)
			}
		},
	},
	{
		kind: "joins and leaves at once write to a map", in: both, proof: "socketio TestRoomsSteady",
		trip: func(a *arena) {
			io := a.chat(nil)
			io.OnConnect(func(s *socketio.Socket) {
				s.OnEvent("come and go", func(e *socketio.Event) error {
					var all sync.WaitGroup
					for n := range 8 {
						all.Go(func() {
							for range 50 {
								s.Join("room", fmt.Sprint("room ", n))
								io.To("room").Emit("news")
								s.Leave("room", fmt.Sprint("room ", n))
							}
						})
					}
					all.Wait()
					return e.Ack("done")
				})
			})
			var peers []*wstest.Peer
			for range 4 {
				p := a.session()
				p.Send(wstest.Text(`421["come and go"]`))
				peers = append(peers, p)
			}
			for _, p := range peers {
				for {
					f, err := p.Next()
					a.must(err)
					if string(f.Payload) == `431["done"]` {
						break
					}
				}
			}
			ctx, cancel := within()
			defer cancel()
			rooms, err := io.Rooms(ctx)
			a.must(err)
			for _, room := range rooms {
				if strings.HasPrefix(room, "room") {
					a.Errorf("%s is left", room)
				}
			}
		},
	},
	{
		kind: "what comes from a broker is decoded by what can run code", proof: "adapters/internal/nodewire TestHostileData",
		trip: func(a *arena) {
			a.must(filepath.WalkDir("../adapters", func(path string, d fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
					return err
				}
				f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
				if err != nil {
					return err
				}
				for _, i := range f.Imports {
					switch i.Path.Value {
					case `"encoding/gob"`, `"plugin"`, `"text/template"`, `"html/template"`, `"encoding/xml"`, `"unsafe"`:
						a.Errorf("%s imports %s", path, i.Path.Value)
					}
				}
				return nil
			}))
		},
	},
	{
		kind: "base64 with the line breaks of another client", in: both,
		trip: func(a *arena) {
			a.chat(nil)
			c := a.client()
			wait := func(sid, got, want string) string {
				for !strings.Contains(got, want) {
					status, text := a.request(c, "GET", sid, "")
					if got += text; status != http.StatusOK {
						a.Fatalf("%d %s, after %q", status, text, got)
					}
				}
				return got
			}
			send := func(sid, body string, want int) {
				if status, text := a.request(c, "POST", sid, body); status != want {
					a.Errorf("%q: %d %s, want %d", body, status, text, want)
				}
			}
			sid := a.polling(c)
			send(sid, "40", http.StatusOK)
			got := wait(sid, "", "40{") // before that no event may come
			send(sid, "451-0[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQI=\n", http.StatusOK)
			send(sid, "451-1[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQ\r\nI=", http.StatusOK)
			wait(sid, wait(sid, got, `430["here"]`), `431["here"]`)
			sid = a.polling(c)
			send(sid, "40", http.StatusOK)
			wait(sid, "", "40{")
			send(sid, "451-0[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQ*I=", http.StatusBadRequest)
		},
	},
}

// away is the adapter of a broker that is away.
type away struct{ socketio.Adapter }

// Broadcast implements socketio.Adapter.
func (away) Broadcast(socketio.Target, socketio.Encoded) error {
	return errors.New("the broker is away")
}

// Join and Leave implement socketio.Adapter.
func (away) Join(socketio.Target, []string) error  { return errors.New("the broker is away") }
func (away) Leave(socketio.Target, []string) error { return errors.New("the broker is away") }

// Close implements socketio.Adapter.
func (away) Close(context.Context) error { return errors.New("the broker is away") }
