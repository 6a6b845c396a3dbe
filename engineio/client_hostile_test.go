package engineio_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/pipe"
)

// A fake is a server that answers as its test says. What is nil answers as a server
// does that has nothing to say.
type fake struct {
	open string                                       // the data of the open packet; "": a good one
	get  func(w http.ResponseWriter, r *http.Request) // a GET with a sid
	post func(w http.ResponseWriter, r *http.Request)
	ws   func(c *conn.Conn, r *http.Request) // a WebSocket, with or without a sid
	any  func(w http.ResponseWriter, r *http.Request) (done bool)
}

const goodOpen = `{"sid":"a-session-of-the-fake","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

func (f *fake) openPacket() string {
	if f.open == "" {
		return "0" + goodOpen
	}
	return "0" + f.open
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch sid := r.URL.Query().Get("sid"); {
	case f.any != nil && f.any(w, r):
	case r.Header.Get("Upgrade") != "":
		if f.ws == nil {
			http.Error(w, "no WebSocket here", http.StatusForbidden)
			return
		}
		c, err := conn.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		f.ws(c, r)
	case r.Method == "POST" && f.post != nil:
		f.post(w, r)
	case r.Method == "POST":
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "ok")
	case sid == "":
		io.WriteString(w, f.openPacket())
	case f.get != nil:
		f.get(w, r)
	default:
		<-r.Context().Done()
	}
}

// withFake runs f in a bubble with a fake server.
func withFake(t *testing.T, server *fake, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, listener: pipe.Listen()}
		web := &http.Server{Handler: server, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		go web.Serve(s.listener)
		transport := &http.Transport{DialContext: s.listener.DialContext}
		s.http = &http.Client{Transport: transport}
		f(s)
		transport.CloseIdleConnections()
		web.Close()
		s.listener.Close()
		time.Sleep(time.Minute)
	})
}

// never answers a request.
func never(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // or net/http would not notice that the client has gone
	<-r.Context().Done()
}

// waitForEnd reads what comes until the client ends it.
func waitForEnd(c *conn.Conn) { c.Each(context.Background(), func(conn.Message) error { return nil }) }

// An open packet that no server can mean is an error that says why.
func TestClientOpenPacket(t *testing.T) {
	good := func(field, value string) string {
		fields := map[string]string{"sid": `"x"`, "upgrades": "[]", "pingInterval": "25000", "pingTimeout": "20000"}
		fields[field] = value
		var parts []string
		for name, v := range fields {
			if v != "" {
				parts = append(parts, fmt.Sprintf("%q:%s", name, v))
			}
		}
		return "0{" + strings.Join(parts, ",") + "}"
	}
	for _, tt := range []struct{ name, packet, want string }{
		{"no sid", good("sid", ""), "sid"},
		{"empty sid", good("sid", `""`), "sid"},
		{"endless sid", good("sid", `"`+strings.Repeat("x", 2000)+`"`), "sid"},
		{"number as sid", good("sid", "5"), "sid"},
		{"no pingInterval", good("pingInterval", ""), "pingInterval"},
		{"zero pingInterval", good("pingInterval", "0"), "pingInterval"},
		{"negative pingInterval", good("pingInterval", "-1"), "pingInterval"},
		{"endless pingInterval", good("pingInterval", "9223372036854775807"), "pingInterval"},
		{"pingInterval beyond numbers", good("pingInterval", "1e300"), "pingInterval"},
		{"fraction of a pingInterval", good("pingInterval", "0.5"), "pingInterval"},
		{"zero pingTimeout", good("pingTimeout", "0"), "pingTimeout"},
		{"endless pingTimeout", good("pingTimeout", "9223372036854775807"), "pingTimeout"},
		{"negative maxPayload", good("maxPayload", "-1"), "maxPayload"},
		{"upgrades that are no list", good("upgrades", "{}"), "upgrades"},
		{"no JSON", "0hello", "JSON"},
		{"array", "0[]", "JSON"},
		{"nothing", "0", "JSON"},
		{"endless packet", good("x", `"`+strings.Repeat("x", 1<<20)+`"`), "65536"},
		{"another packet", "4hello", "message, want open"},
		{"no packet", "hello", "packet type"},
		{"no byte", "", "without a type"},
		{"binary", "bAAAA", "first packet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &fake{
				any: func(w http.ResponseWriter, r *http.Request) bool {
					if r.Header.Get("Upgrade") == "" {
						io.WriteString(w, tt.packet)
						return true
					}
					return false
				},
				ws: func(c *conn.Conn, _ *http.Request) {
					c.Write(context.Background(), conn.Text, []byte(tt.packet))
					waitForEnd(c)
				},
			}
			withFake(t, server, func(s *site) {
				for _, kind := range kinds[:2] {
					_, err := s.connect(kind.o)
					if _, ok := errors.AsType[*engineio.ProtocolError](err); !ok || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 {
						t.Errorf("%s: error %v, want a *ProtocolError with %q", kind.name, err, tt.want)
					}
				}
			})
		})
	}
	withFake(t, &fake{ws: func(c *conn.Conn, _ *http.Request) {
		c.Write(context.Background(), conn.Binary, []byte("0"+goodOpen))
		waitForEnd(c)
	}}, func(s *site) {
		if _, err := s.connect(websocketOnly); err == nil || !strings.Contains(err.Error(), "binary") {
			t.Errorf("an open packet in a binary frame: %v", err)
		}
	})
}

// A server before Socket.IO 4.5 does not say what it takes: our own limit splits
// POSTs. Packets that come in one body with the open packet count.
func TestClientWithoutMaxPayload(t *testing.T) {
	var bodies []int
	server := &fake{
		open: `{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}` + "\x1e4first\x1e6\x1e4second",
		post: func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if bodies = append(bodies, len(b)); len(bodies) == 1 {
				time.Sleep(time.Second) // all that follows is queued
			}
			w.Write(make([]byte, 1<<20)) // what the answer says has no meaning
		},
	}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(nil)
		r.want("first")
		r.want("second")
		r.c.Send(text("x"))
		synctest.Wait()
		for range 3 {
			r.c.Send(text(strings.Repeat("x", 400_000)))
		}
		r.c.Send(text(strings.Repeat("x", 3_000_000)))
		if err := r.c.Flush(s.t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []int{2, 800_003, 400_001, 3_000_001}; !slices.Equal(bodies, want) {
			t.Errorf("POSTs of %d bytes, want %d", bodies, want)
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// respond answers with a status and a body.
func respond(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const html = "<!DOCTYPE html><html><body>Bad Gateway</body></html>"

// What is no server answers the first request. The error wraps no refusal, and no nil.
func TestClientNoServer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
	}{
		{"HTML", 200, html},
		{"HTML with an error", 502, html},
		{"endless HTML with an error", 502, strings.Repeat(html, 100_000)},
		{"JSON", 200, `{"hello":"world"}`},
		{"nothing", 204, ""},
	} {
		for _, kind := range kinds[:2] {
			t.Run(tt.name+" "+kind.name, func(t *testing.T) {
				server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
					respond(tt.status, tt.body)(w, r)
					return true
				}}
				withFake(t, server, func(s *site) {
					_, err := s.connect(kind.o)
					e, ok := errors.AsType[*engineio.ResponseError](err)
					if !ok || e.Status != tt.status || e.Method != "GET" || e.Refusal != nil || !strings.HasPrefix(tt.body, string(e.Body)) || len(e.Body) != min(len(tt.body), 1024) {
						t.Errorf("error %v, %+v", err, e)
					}
					if refusal, ok := errors.AsType[*engineio.Refusal](err); ok || slices.Contains(e.Unwrap(), nil) {
						t.Errorf("error %v wraps %v, and the refusal %v", err, e.Unwrap(), refusal)
					}
				})
			})
		}
	}
}

// A GET that has got no answer is not sent again: the answer may have been given, with
// messages that would be missing then.
func TestClientGetsOnce(t *testing.T) {
	gets := 0
	server := &fake{get: func(w http.ResponseWriter, r *http.Request) {
		if gets++; gets == 1 { // the connection is in use from here on
			respond(200, "4first")(w, r)
			return
		}
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		nc.Close()
	}}
	withFake(t, server, func(s *site) {
		c, err := s.connect(&engineio.DialOptions{Transports: []string{"polling"}})
		if err != nil {
			t.Fatal(err)
		}
		<-c.c.Done()
		if c.c.Err() == nil || gets != 2 {
			t.Errorf("%d GETs, %v; want 2, and an error", gets, c.c.Err())
		}
	})
}

// A GET or POST in the middle of a session that is answered as it should not be ends
// it, and Err says how.
func TestClientBadAnswers(t *testing.T) {
	isResponse := func(status int) func(error) bool {
		return func(err error) bool {
			e, ok := errors.AsType[*engineio.ResponseError](err)
			return ok && e.Status == status
		}
	}
	isProtocol := func(err error) bool { _, ok := errors.AsType[*engineio.ProtocolError](err); return ok }
	for _, tt := range []struct {
		name   string
		server fake
		want   engineio.Reason
		is     func(error) bool
	}{
		{"502 to a GET", fake{get: respond(502, html)}, engineio.TransportError, isResponse(502)},
		{"502 to a POST", fake{post: respond(502, html)}, engineio.TransportError, isResponse(502)},
		{"HTML to a GET", fake{get: respond(200, html)}, engineio.ParseError, isResponse(200)},
		{"nothing to a GET", fake{get: respond(200, "")}, engineio.ParseError, isProtocol},
		{"foreign sid", fake{get: respond(400, unknownSession)}, engineio.TransportError, func(err error) bool {
			e, ok := errors.AsType[*engineio.Refusal](err)
			return ok && e.Code == 1
		}},
		{"second open packet", fake{get: respond(200, "0"+goodOpen)}, engineio.TransportError, isProtocol},
		{"pong", fake{get: respond(200, "3")}, engineio.TransportError, isProtocol},
		{"upgrade packet", fake{get: respond(200, "5")}, engineio.TransportError, isProtocol},
		{"unknown packet", fake{get: respond(200, "4a\x1e9")}, engineio.ParseError, isProtocol},
		{"bad base64", fake{get: respond(200, "b!")}, engineio.ParseError, isProtocol},
		{"not UTF-8", fake{get: respond(200, "4\xFF")}, engineio.ParseError, isProtocol},
		{"close packet", fake{get: respond(200, "1")}, engineio.TransportClose, func(err error) bool { return true }},
		{"cut GET", fake{get: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, engineio.TransportError,
			func(err error) bool { return errors.Is(err, io.EOF) }},
		{"cut body", fake{get: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "4a")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}}, engineio.TransportError, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"endless body", fake{get: func(w http.ResponseWriter, _ *http.Request) {
			for b := make([]byte, 64<<10); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		}}, engineio.TransportError, func(err error) bool {
			_, ok := errors.AsType[*http.MaxBytesError](err)
			return ok && strings.Contains(err.Error(), "Limits.MaxPayload")
		}},
		{"gigabytes declared", fake{get: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9223372036854775807")
			w.Write(make([]byte, 1000))
		}}, engineio.TransportError, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"redirect", fake{get: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.example/", http.StatusFound)
		}},
			engineio.TransportError, func(err error) bool {
				return isResponse(302)(err) && strings.Contains(err.Error(), "CheckRedirect")
			}},
		{"redirect to nowhere", fake{get: respond(302, "")}, engineio.TransportError, func(err error) bool {
			return isResponse(302)(err) && strings.Contains(err.Error(), "want 200")
		}},
		{"no redirect", fake{get: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://other.example/")
			w.WriteHeader(http.StatusCreated)
		}}, engineio.TransportError, func(err error) bool {
			return isResponse(201)(err) && strings.Contains(err.Error(), "want 200")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withFake(t, &tt.server, func(s *site) {
				r := s.mustConnect(&engineio.DialOptions{Transports: []string{"polling"}, Limits: engineio.DialLimits{MaxPayload: 1 << 20}})
				r.c.Send(text("a"))
				r.wantEnd(tt.want)
				if err := r.c.Err(); !tt.is(err) || strings.Contains(err.Error(), "a-session-of-the-fake") {
					t.Errorf("Err = %v", err)
				}
			})
		})
	}
}

// What a server may not send over a WebSocket ends the session.
func TestClientBadFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		ws   func(c *conn.Conn)
		want engineio.Reason
	}{
		{"no packet", func(c *conn.Conn) { c.Write(context.Background(), conn.Text, nil) }, engineio.ParseError},
		{"unknown packet", func(c *conn.Conn) { c.Write(context.Background(), conn.Text, []byte("9")) }, engineio.ParseError},
		{"second open packet", func(c *conn.Conn) { c.Write(context.Background(), conn.Text, []byte("0"+goodOpen)) }, engineio.TransportError},
		{"late 3probe", func(c *conn.Conn) { c.Write(context.Background(), conn.Text, []byte("3probe")) }, engineio.TransportError},
		{"close packet", func(c *conn.Conn) { c.Write(context.Background(), conn.Text, []byte("1")) }, engineio.TransportClose},
		{"not UTF-8", func(c *conn.Conn) { c.Write(context.Background(), conn.Text, []byte("4\xFF")) }, engineio.TransportError},
		{"too long", func(c *conn.Conn) { c.Write(context.Background(), conn.Binary, make([]byte, 2<<20)) }, engineio.TransportError},
		{"Close frame", func(c *conn.Conn) { c.Close(frame.StatusGoingAway, "bye") }, engineio.TransportClose},
		{"cut", func(c *conn.Conn) { c.CloseNow() }, engineio.TransportClose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
				c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
				tt.ws(c)
				waitForEnd(c)
			}}
			withFake(t, server, func(s *site) {
				r := s.mustConnect(&engineio.DialOptions{Transports: []string{"websocket"}, Limits: engineio.DialLimits{MaxPayload: 1 << 20}})
				r.wantEnd(tt.want)
			})
		})
	}
}

// acceptKey answers the key of a client (RFC 6455, section 1.3).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A masked frame from the server is a violation (RFC 6455, section 5.1).
func TestClientMaskedFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipe.Listen()
		s := &site{t: t, listener: l}
		transport := &http.Transport{DialContext: l.DialContext}
		s.http = &http.Client{Transport: transport}
		masked := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Length: 1}.Append(nil)
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sum := acceptKey(r.Header.Get("Sec-WebSocket-Key"))
			nc, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			open := frame.Header{Fin: true, Opcode: frame.Text, Length: int64(len(goodOpen) + 1)}.Append(nil)
			io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+sum+"\r\n\r\n")
			nc.Write(append(append(open, "0"+goodOpen...), append(masked, '4')...))
			io.Copy(io.Discard, nc)
		})}
		go web.Serve(l)
		r := s.mustConnect(websocketOnly)
		r.wantEnd(engineio.TransportError)
		if e, ok := errors.AsType[*frame.Error](r.c.Err()); !ok || e.Code != frame.StatusProtocolError {
			t.Errorf("Err = %v", r.c.Err())
		}
		transport.CloseIdleConnections()
		web.Close()
		l.Close()
		time.Sleep(time.Second)
	})
}

// Without a limit of the caller's a message may have 32 MiB.
func TestClientDefaultMaxPayload(t *testing.T) {
	for length, fits := range map[int64]bool{32 << 20: true, 32<<20 + 1: false} {
		server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
			nc := acceptRaw(t, w, r)
			defer nc.Close()
			b := append(frame.Header{Fin: true, Opcode: frame.Text, Length: int64(len(goodOpen) + 1)}.Append(nil), "0"+goodOpen...)
			nc.Write(frame.Header{Fin: true, Opcode: frame.Binary, Length: length}.Append(b)) // the length alone decides
			io.Copy(io.Discard, nc)
			return true
		}}
		withFake(t, server, func(s *site) {
			r := s.mustConnect(websocketOnly)
			synctest.Wait()
			if err := r.c.Err(); (err == nil) != fits {
				t.Errorf("a message of %d bytes: %v", length, err)
			}
			r.c.Close()
			<-r.c.Done()
		})
	}
}

// A server that never answers is given up: when a session opens, when a POST is sent,
// when a GET waits for a ping, and while a WebSocket is probed.
func TestClientNeverAnswered(t *testing.T) {
	silent := func(c *conn.Conn, _ *http.Request) { waitForEnd(c) }
	t.Run("open", func(t *testing.T) {
		server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool { never(w, r); return true }}
		for _, kind := range kinds[:2] {
			withFake(t, server, func(s *site) {
				start := time.Now()
				_, err := s.connect(kind.o)
				if d := time.Since(start); d != 20*time.Second || !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "OpenTimeout") {
					t.Errorf("%s: %v after %v", kind.name, err, d)
				}
			})
		}
	})
	t.Run("no open packet", func(t *testing.T) {
		withFake(t, &fake{ws: silent}, func(s *site) {
			for _, timeout := range []time.Duration{time.Nanosecond, 5 * time.Second} {
				start := time.Now()
				o := *websocketOnly
				o.HTTPClient = &http.Client{Transport: s.http.Transport, Timeout: timeout}
				_, err := s.connect(&o)
				if d := time.Since(start); d != timeout || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v after %v, want %v", err, d, timeout)
				}
			}
		})
	})
	t.Run("body", func(t *testing.T) {
		server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
			io.WriteString(w, "0{")
			http.NewResponseController(w).Flush()
			never(w, r)
			return true
		}}
		withFake(t, server, func(s *site) {
			start := time.Now()
			_, err := s.connect(pollingOnly)
			if d := time.Since(start); d != 20*time.Second || !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "the body of the response to a GET: no session within Limits.OpenTimeout") {
				t.Errorf("%v after %v", err, d)
			}
		})
	})
	t.Run("POST", func(t *testing.T) {
		ping := func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(25 * time.Second):
				io.WriteString(w, "2")
			case <-r.Context().Done():
			}
		}
		withFake(t, &fake{get: ping, post: never}, func(s *site) {
			start := time.Now()
			r := s.mustConnect(nil)
			r.c.Send(text("a"))
			r.wantEnd(engineio.TransportError)
			if d := time.Since(start); d != 45*time.Second || !errors.Is(r.c.Err(), os.ErrDeadlineExceeded) {
				t.Errorf("%v after %v", r.c.Err(), d)
			}
		})
	})
	t.Run("no ping", func(t *testing.T) {
		server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
			c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
			waitForEnd(c)
		}}
		for _, kind := range kinds[:2] {
			withFake(t, server, func(s *site) {
				start := time.Now()
				r := s.mustConnect(kind.o)
				select {
				case reason := <-r.ends:
					r.ends <- reason
				case <-time.After(time.Hour):
				}
				if d := time.Since(start); d != 45*time.Second {
					t.Errorf("%s: ended after %v", kind.name, d)
				}
				r.wantEnd(engineio.PingTimeout)
			})
		}
	})
	t.Run("POST, with a Timeout", func(t *testing.T) {
		withFake(t, &fake{post: never}, func(s *site) {
			start := time.Now()
			o := *pollingOnly
			o.HTTPClient = &http.Client{Transport: s.http.Transport, Timeout: 30 * time.Second}
			r := s.mustConnect(&o)
			r.c.Send(text("a"))
			r.wantEnd(engineio.TransportError)
			if d := time.Since(start); d != 30*time.Second || !errors.Is(r.c.Err(), os.ErrDeadlineExceeded) {
				t.Errorf("%v after %v", r.c.Err(), d)
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		withFake(t, &fake{post: never}, func(s *site) {
			r := s.mustConnect(pollingOnly)
			r.c.Send(text("a"))
			start := time.Now()
			r.c.Close()
			r.wantEnd(engineio.ForcedClose)
			if d := time.Since(start); d != 5*time.Second {
				t.Errorf("done %v after Close", d)
			}
		})
	})
}

// The wait after Close is over when the POSTs have carried everything, or one is refused,
// though a GET stays unanswered. Nothing is sent after a message that was refused.
func TestClientCloseOver(t *testing.T) {
	for _, tt := range []struct {
		answer func(http.ResponseWriter, *http.Request)
		posts  string
	}{{respond(200, "ok"), "4a1"}, {respond(502, html), "4a"}} {
		var posts strings.Builder
		server := new(fake)
		withFake(t, server, func(s *site) {
			closed := make(chan struct{})
			server.post = func(w http.ResponseWriter, r *http.Request) {
				io.Copy(&posts, r.Body)
				<-closed
				tt.answer(w, r)
			}
			r := s.mustConnect(pollingOnly)
			r.c.Send(text("a"))
			synctest.Wait() // a GET and a POST are under way
			r.c.Close()
			close(closed)
			start := time.Now()
			r.wantEnd(engineio.ForcedClose)
			if d := time.Since(start); d != 0 {
				t.Errorf("done %v after Close", d)
			}
			if posts.String() != tt.posts {
				t.Errorf("POSTs %q, want %q", posts.String(), tt.posts)
			}
		})
	}
}

// A server that pings without end and takes no pongs ends the session before they fill
// the memory.
func TestClientPingFlood(t *testing.T) {
	pings := strings.Repeat("2\x1e", 2_000) + "2"
	server := &fake{post: never, get: respond(200, pings), ws: func(c *conn.Conn, _ *http.Request) {
		c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
		for range 300_000 { // three times the pipe and the queue
			if c.Write(context.Background(), conn.Text, []byte("2")) != nil {
				return
			}
		}
		waitForEnd(c)
	}}
	for _, kind := range kinds[:2] {
		withFake(t, server, func(s *site) {
			r := s.mustConnect(&engineio.DialOptions{Transports: kind.o.Transports, Limits: engineio.DialLimits{QueueBytes: 64 << 10}})
			r.wantEnd(engineio.TransportError)
			if !errors.Is(r.c.Err(), engineio.ErrQueueFull) {
				t.Errorf("%s: Err = %v", kind.name, r.c.Err())
			}
		})
	}
}

// A meeting transport calls back when it has opened a WebSocket.
type meeting struct {
	http.RoundTripper
	opened func()
}

func (m meeting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := m.RoundTripper.RoundTrip(r)
	if r.Header.Get("Upgrade") != "" {
		m.opened()
	}
	return resp, err
}

// A WebSocket that opens when the session has ended already is closed.
func TestClientClosedBeforeProbe(t *testing.T) {
	var opened, ended atomic.Bool
	server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
		opened.Store(true)
		waitForEnd(c)
		ended.Store(true)
	}}
	withFake(t, server, func(s *site) {
		var r *taker
		known := make(chan struct{})
		s.http = &http.Client{Transport: meeting{s.http.Transport, func() {
			<-known
			r.c.Close()
		}}}
		r = s.mustConnect(nil)
		close(known)
		r.wantEnd(engineio.ForcedClose)
		if synctest.Wait(); !opened.Load() || !ended.Load() {
			t.Errorf("the WebSocket has opened: %t, and ended: %t", opened.Load(), ended.Load())
		}
	})
}

// The upgrade fails in every way that there is, which the log tells once, and polling goes
// on with what is queued meanwhile, both ways.
func TestClientUpgradeFails(t *testing.T) {
	answer := func(packets ...string) func(*conn.Conn, *http.Request) {
		return func(c *conn.Conn, _ *http.Request) {
			time.Sleep(time.Millisecond) // a GET is under way, or an answered probe would move the client
			for _, p := range packets {
				c.Write(context.Background(), conn.Text, []byte(p))
			}
			waitForEnd(c)
		}
	}
	for _, tt := range []struct {
		name string
		ws   func(*conn.Conn, *http.Request)
	}{
		{"refused", nil},
		{"silent", answer()},
		{"another session", answer("0" + goodOpen)},
		{"another packet", answer("4a")},
		{"not the probe", answer("3")},
		{"binary probe", func(c *conn.Conn, _ *http.Request) {
			c.Write(context.Background(), conn.Binary, []byte("3probe"))
			waitForEnd(c)
		}},
		{"two answers", answer("3probe", "3probe")},
		{"a message too early", answer("3probe", "4a")},
		{"closed", func(c *conn.Conn, _ *http.Request) {}},
		{"closed after the probe", func(c *conn.Conn, _ *http.Request) {
			time.Sleep(time.Millisecond)
			c.Write(context.Background(), conn.Text, []byte("3probe"))
			c.Read(context.Background())
		}},
		{"GET not released", answer("3probe")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got lines
			var dropped atomic.Bool
			gets := 0
			server := &fake{
				get: func(w http.ResponseWriter, r *http.Request) {
					if gets++; gets > 1 {
						<-r.Context().Done()
						return
					}
					time.Sleep(20 * time.Second) // longer than UpgradeTimeout
					io.WriteString(w, "2\x1e4late")
				},
				post: func(w http.ResponseWriter, r *http.Request) { io.Copy(&got, r.Body) },
			}
			if tt.ws != nil {
				server.ws = func(c *conn.Conn, r *http.Request) { tt.ws(c, r); dropped.Store(true) }
			}
			withFake(t, server, func(s *site) {
				var log lines
				r := s.mustConnect(&engineio.DialOptions{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
				time.Sleep(5 * time.Second)
				r.c.Send(text("a"))
				synctest.Wait()
				if waits := tt.name == "silent" || tt.name == "GET not released"; dropped.Load() == waits && tt.ws != nil {
					t.Errorf("the WebSocket is dropped at once: %t", !waits)
				}
				want := "4a"
				if tt.name == "GET not released" { // requests pause for nothing but an answer to the probe
					want = ""
				}
				if got.String() != want {
					t.Errorf("POSTs while the client is upgrading: %q, want %q", got.String(), want)
				}
				time.Sleep(10 * time.Second)
				if err := r.c.Flush(s.t.Context()); err != nil || r.c.Transport() != "polling" {
					t.Errorf("Flush = %v over %s", err, r.c.Transport())
				}
				r.want("late")
				synctest.Wait() // the ping is answered
				r.c.Close()
				r.wantEnd(engineio.ForcedClose)
				if got.String() != "4a31" {
					t.Errorf("POSTs: %q", got.String())
				}
				if n := strings.Count(log.String(), "stays on long-polling"); n != 1 {
					t.Errorf("log: %s", log.String())
				}
			})
		})
	}
}

// What came in one body with the open packet is delivered once, also if polling pauses for a
// WebSocket and goes on without it.
func TestClientFirstOnce(t *testing.T) {
	var gets atomic.Int32
	server := &fake{
		open: goodOpen + "\x1e4first",
		get: func(w http.ResponseWriter, r *http.Request) {
			if gets.Add(1) > 1 {
				<-r.Context().Done()
				return
			}
			time.Sleep(time.Second)
			io.WriteString(w, "4second")
		},
		post: never, // the client does not move before it is answered
		ws: func(c *conn.Conn, _ *http.Request) {
			time.Sleep(time.Millisecond)
			c.Write(context.Background(), conn.Text, []byte("3probe"))
			waitForEnd(c)
		},
	}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(nil)
		r.c.Send(text("a"))
		r.want("first")
		r.want("second")
		if synctest.Wait(); gets.Load() != 1 {
			t.Errorf("%d GETs while requests pause", gets.Load())
		}
		time.Sleep(11 * time.Second) // UpgradeTimeout, and more
		if gets.Load() != 2 || r.c.Transport() != "polling" {
			t.Errorf("%d GETs, transport %s", gets.Load(), r.c.Transport())
		}
		select {
		case got := <-r.messages:
			t.Errorf("one more message, %q", got)
		default:
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// Close in each state of the upgrade leaves nothing, and so does the end of the
// session by the server.
func TestClientEndsWhileUpgrading(t *testing.T) {
	for _, tt := range []struct {
		name string
		ws   func(*conn.Conn, *http.Request)
	}{
		{"dialing", nil},
		{"probing", func(c *conn.Conn, _ *http.Request) { waitForEnd(c) }},
		{"probed", func(c *conn.Conn, _ *http.Request) {
			time.Sleep(time.Millisecond) // a GET is under way, or the client would move at once
			c.Write(context.Background(), conn.Text, []byte("3probe"))
			waitForEnd(c)
		}},
	} {
		for _, byServer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by the server %t", tt.name, byServer), func(t *testing.T) {
				server := &fake{ws: tt.ws, get: func(w http.ResponseWriter, r *http.Request) {
					end := time.After(time.Hour)
					if byServer {
						end = time.After(time.Second)
					}
					select {
					case <-end:
						io.WriteString(w, "1")
					case <-r.Context().Done():
					}
				}}
				if tt.ws == nil {
					server.any = func(_ http.ResponseWriter, r *http.Request) bool {
						if r.Header.Get("Upgrade") != "" {
							<-r.Context().Done()
							return true
						}
						return false
					}
				}
				withFake(t, server, func(s *site) {
					r := s.mustConnect(nil)
					time.Sleep(2 * time.Millisecond)
					synctest.Wait()
					if r.c.Writable() == (tt.name == "probed") { // then no POST begins
						t.Errorf("writable: %t", r.c.Writable())
					}
					if byServer {
						r.wantEnd(engineio.TransportClose)
						return
					}
					r.c.Close()
					r.wantEnd(engineio.ForcedClose)
				})
			})
		}
	}
}

// The ctx of Dial ends the opening at each of its steps, at once, and nothing is left.
func TestDialCancelled(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kind   int
		server fake
	}{
		{"polling, no response", 0, fake{any: func(w http.ResponseWriter, r *http.Request) bool { never(w, r); return true }}},
		{"polling, half a body", 0, fake{any: func(w http.ResponseWriter, r *http.Request) bool {
			io.WriteString(w, "0{")
			http.NewResponseController(w).Flush()
			never(w, r)
			return true
		}}},
		{"polling, half an error", 0, fake{any: func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(500)
			io.WriteString(w, "<html>")
			http.NewResponseController(w).Flush()
			never(w, r)
			return true
		}}},
		{"websocket, no response", 1, fake{any: func(w http.ResponseWriter, r *http.Request) bool { never(w, r); return true }}},
		{"websocket, no open packet", 1, fake{ws: func(c *conn.Conn, _ *http.Request) { waitForEnd(c) }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withFake(t, &tt.server, func(s *site) {
				for _, all := range []bool{false, true} {
					ctx, cancel := context.WithCancel(s.t.Context())
					time.AfterFunc(time.Second, cancel)
					start := time.Now()
					o := *kinds[tt.kind].o
					if o.TryAllTransports = all; all {
						o.Transports = append(slices.Clone(o.Transports), kinds[1-tt.kind].transport)
					}
					_, err := s.connectTo(ctx, clientURL, &o, nil)
					if _, isResponse := errors.AsType[*engineio.ResponseError](err); !errors.Is(err, context.Canceled) && !isResponse || time.Since(start) != time.Second {
						t.Errorf("error %v after %v", err, time.Since(start))
					}
					if strings.Contains(err.Error(), "over "+kinds[1-tt.kind].transport) { // there was no time for it
						t.Errorf("error %v", err)
					}
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // nobody accepts
		l := pipe.Listen()
		defer l.Close()
		s := &site{t: t, listener: l, http: &http.Client{Transport: &http.Transport{DialContext: l.DialContext}}}
		for _, kind := range kinds[:2] {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.connectTo(ctx, clientURL, kind.o, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: error %v", kind.name, err)
			}
		}
	})
}

// Redirects are followed if that was asked for, but what only the first host should
// know does not go to another one, whatever the transport.
func TestClientRedirect(t *testing.T) {
	for _, kind := range kinds[:2] {
		t.Run(kind.name, func(t *testing.T) {
			var elsewhere []http.Header
			server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
				c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
				waitForEnd(c)
			}}
			server.any = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Host == "example.com" {
					http.Redirect(w, r, "http://other.example/engine.io/?"+r.URL.RawQuery, http.StatusFound)
					return true
				}
				elsewhere = append(elsewhere, r.Header)
				return false
			}
			withFake(t, server, func(s *site) {
				o := *kind.o
				o.Header = http.Header{"Authorization": {"secret"}, "Cookie": {"k=secret"}, "X-Api-Key": {"secret"}}
				_, err := s.connect(&o)
				if e, ok := errors.AsType[*engineio.ResponseError](err); !ok || e.Status != 302 {
					t.Errorf("a redirect that nobody asked for: %v", err)
				}
				asked := 0
				o.HTTPClient = &http.Client{Transport: s.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
					asked++
					return nil
				}}
				r, err := s.connectTo(s.t.Context(), clientURL+"/engine.io/?token=secret", &o, nil)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if len(elsewhere) == 0 || asked == 0 || strings.Contains(fmt.Sprint(elsewhere), "secret") {
					t.Errorf("%d redirects, header elsewhere: %v", asked, elsewhere)
				}
				if kind.name == "polling" {
					r.c.Send(text("a"))
					r.wantEnd(engineio.TransportError) // a POST does not become a GET
					if e, ok := errors.AsType[*engineio.ResponseError](r.c.Err()); !ok || e.Method != "POST" || e.Status != 302 {
						t.Errorf("Err = %v", r.c.Err())
					}
					return
				}
				r.c.Close()
				r.wantEnd(engineio.ForcedClose)
			})
		})
	}
}

// A redirect that keeps the method is followed by each request, by a POST with its body.
func TestClientRedirectKeepsMethod(t *testing.T) {
	var posts strings.Builder
	server := &fake{
		any: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Host != "example.com" {
				return false
			}
			http.Redirect(w, r, "http://other.example/engine.io/?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
			return true
		},
		post: func(_ http.ResponseWriter, r *http.Request) { io.Copy(&posts, r.Body) },
	}
	withFake(t, server, func(s *site) {
		o := *pollingOnly
		o.HTTPClient = &http.Client{Transport: s.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		r := s.mustConnect(&o)
		r.c.Send(text("a"))
		if err := r.c.Flush(s.t.Context()); err != nil {
			t.Errorf("Flush: %v, %v", err, r.c.Err())
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
		if got := posts.String(); got != "4a1" {
			t.Errorf("POSTs: %q", got)
		}
	})
}

// The head of a response is bounded where the transport is the client's own.
func TestClientEndlessHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipe.Listen()
		before := http.DefaultTransport
		http.DefaultTransport = &http.Transport{DialContext: l.DialContext}
		defer func() { http.DefaultTransport = before }()
		var sent int
		go func() {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(nc, "HTTP/1.1 200 OK\r\n")
			for line := []byte("X: " + strings.Repeat("x", 1000) + "\r\n"); err == nil; sent++ {
				_, err = nc.Write(line)
			}
			nc.Close()
		}()
		_, err := engineio.Dial(t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return nil }, pollingOnly)
		synctest.Wait()
		if err == nil || sent > 3000 { // most of it is in the pipe; net/http has 10 MiB
			t.Errorf("%v after %d KiB of head", err, sent)
		}
		l.Close()
	})
}
