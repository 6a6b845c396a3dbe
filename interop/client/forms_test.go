package client

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// echoes checks that values of all kinds come back.
func echoes(t *testing.T, c *socketio.Client) {
	t.Helper()
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, in := range []any{
		nil, true, -1.5, "ž 🦜 \x00", []any{1.0, "two", nil},
		map[string]any{"data": []byte{}, "list": []any{[]byte{0, 0xFF}}},
		bytes.Repeat([]byte("compressible "), 10_000), noise,
	} {
		if got := call[any](t, c, "echo-ack", in); !reflect.DeepEqual(fmt.Sprint(got), fmt.Sprint(in)) {
			t.Errorf("%.100v came back as %.100v", in, got)
		}
	}
}

func TestMessagePack(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		echoes(t, s.connect(t, "/custom", s.options(mode, socketio.DialOptions{Parser: msgpack.Parser{}})))
	}, "--parser", "msgpack")
}

func TestDeflate(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		for name, deflate := range map[string]*handshake.DeflateOptions{
			"nothing kept": {},
			"all kept":     {ServerContextTakeover: true, ClientContextTakeover: true},
		} {
			o := s.options(mode, socketio.DialOptions{})
			o.Engine.Deflate = deflate
			t.Run(name, func(t *testing.T) {
				c := s.connect(t, "", o)
				settle(t, c, mode)
				echoes(t, c)
			})
		}
	}, "--deflate")
}

// settle waits until c is on the last transport of a mode.
func settle(t *testing.T, c *socketio.Client, mode string) {
	t.Helper()
	if mode == "upgrade" {
		eventually(t, "the upgrade", func() bool { return c.Transport() == "websocket" })
	}
}

// What is sent together is split by the largest payload that the server takes, which
// servers before 4.5 do not say.
func TestMaxPayload(t *testing.T) {
	for _, k := range kinds {
		if k.name == "node 4.0" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			s := start(t, k, "--max-payload", "10000")
			for mode := range modes {
				t.Run(mode, func(t *testing.T) {
					got := make(chan int, 100)
					c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
						c.OnEvent("echo", func(e *socketio.Event) error {
							var i int
							var data []byte
							if err := e.Decode(0, &i); err != nil {
								return err
							}
							if err := e.Decode(1, &data); err != nil || len(data) != 90*i {
								t.Errorf("%d has %d bytes, %v", i, len(data), err)
							}
							got <- i
							return nil
						})
					}}))
					for i := range 80 {
						if err := c.Emit("echo", i, make([]byte, 90*i)); err != nil {
							t.Fatal(err)
						}
					}
					for i := range 80 {
						if n := receive(t, "an echo", got); n != i {
							t.Fatalf("got %d, want %d", n, i)
						}
					}
				})
			}
		})
	}
}
