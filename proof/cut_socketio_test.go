package proof

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A socketScript is what happens between a server and a client of Socket.IO.
type socketScript struct {
	name    string
	returns bool // the client comes back, and sends again what was not acknowledged
	connect func(s *stage, io *socketio.Server)
	client  func(ctx context.Context, c *socketio.Client) error
}

// together answers an event of a text and binary data with both.
func together(s *stage) func(context.Context, string) (string, error) {
	return func(_ context.Context, text string) (string, error) {
		var n int
		if _, err := fmt.Sscanf(text, "message %d:", &n); err != nil || text != word(n) {
			s.fault("the server has got %q", text)
		}
		return text, nil
	}
}

// answerTime is how long an answer may take. A client that has lost its server keeps what
// is emitted for when it is connected again, which it may be told to be.
const answerTime = 20 * time.Second

// call asks the server, which answers with what it was asked.
func call(ctx context.Context, c *socketio.Client, n int) error {
	got, err := socketio.Call[string](ctx, c, "echo", word(n))
	if err == nil && got != word(n) {
		err = fmt.Errorf("%w: %q", errWrong, got)
	}
	return err
}

var socketScripts = []socketScript{
	{"acknowledgements", false, func(s *stage, io *socketio.Server) {
		io.OnConnect(func(x *socketio.Socket) { socketio.Handle(x, "echo", together(s)) })
	}, func(ctx context.Context, c *socketio.Client) error {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		for n := range 3 {
			if err := call(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	}},
	{"binary", false, func(s *stage, io *socketio.Server) {
		io.OnConnect(func(x *socketio.Socket) {
			socketio.Handle2(x, "echo", func(_ context.Context, a, b []byte) ([]byte, error) {
				if string(a) != word(3) || string(b) != word(4) {
					s.fault("the server has got %q and %q", a, b)
				}
				return slices.Concat(a, b), nil
			})
		})
	}, func(ctx context.Context, c *socketio.Client) error {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		got, err := socketio.Call[[]byte](ctx, c, "echo", []byte(word(3)), []byte(word(4)))
		if err == nil && string(got) != word(3)+word(4) {
			err = fmt.Errorf("%w: %q", errWrong, got)
		}
		return err
	}},
	{"namespace and room", false, func(s *stage, io *socketio.Server) {
		admin := io.Of("/admin")
		admin.Use(func(_ context.Context, x *socketio.Socket) error {
			auth, err := socketio.Auth[struct{ Token string }](x)
			if err != nil || auth.Token != "secret" {
				return errors.New("not you")
			}
			return nil
		})
		admin.OnConnect(func(x *socketio.Socket) {
			socketio.On(x, "join", func(_ context.Context, room string) error {
				if err := x.Join(room); err != nil {
					return err
				}
				return admin.To(room).Emit("joined", word(5))
			})
		})
	}, func(ctx context.Context, c *socketio.Client) error {
		admin := c.Of("/admin")
		came := make(chan string, 1)
		socketio.On(admin, "joined", func(_ context.Context, text string) error { came <- text; return nil })
		admin.Connect()
		if err := admin.Emit("join", "room"); err != nil {
			return err
		}
		select {
		case text := <-came:
			if text != word(5) {
				return errWrong
			}
			return nil
		case <-lost(ctx, c):
			return errLost
		}
	}},
	{"the server disconnects", false, func(_ *stage, io *socketio.Server) {
		io.OnConnect(func(x *socketio.Socket) {
			_ = x.Emit("bye", word(6))
			x.Disconnect(true)
		})
	}, func(ctx context.Context, c *socketio.Client) error {
		<-lost(ctx, c)
		return nil
	}},
	{"comes back", true, func(s *stage, io *socketio.Server) {
		var mu sync.Mutex
		handled := map[string]int{}
		io.OnConnect(func(x *socketio.Socket) {
			socketio.Handle(x, "echo", func(ctx context.Context, text string) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				handled[text]++
				return together(s)(ctx, text)
			})
			socketio.Handle(x, "handled", func(context.Context, any) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				return len(handled), nil
			})
		})
	}, func(ctx context.Context, c *socketio.Client) error {
		for n := range 3 {
			if err := call(ctx, c, n); err != nil {
				return err
			}
		}
		handled, err := socketio.Call[int](ctx, c, "handled")
		if err == nil && handled != 3 {
			err = fmt.Errorf("%d events of 3 were handled", handled)
		}
		return err
	}},
}

var errLost = errors.New("the client has lost its server")

// lost returns a channel that is closed when c is disconnected, or ctx ends.
func lost(ctx context.Context, c *socketio.Client) <-chan struct{} {
	gone := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(gone) }) }
	c.OnDisconnect(func(socketio.Reason, error) { end() })
	context.AfterFunc(ctx, end)
	if !c.Connected() {
		end()
	}
	return gone
}

// sockets returns the conversations of Socket.IO: each script over each transport, on both
// shells.
func sockets() (all []*conversation) {
	for _, x := range socketScripts {
		for name, list := range transports {
			for shell, loop := range shells {
				all = append(all, socket(x, list, loop, "Socket.IO, "+x.name+", "+name+", "+shell))
			}
		}
	}
	return all
}

func socket(x socketScript, list []string, loop func() *conn.Loop, name string) *conversation {
	return &conversation{
		name:    name,
		returns: x.returns,
		serve: func(s *stage) func(context.Context) error {
			io, err := socketio.NewServer(&socketio.Options{Logger: s.logger, Engine: engineio.Options{Loop: loop()}})
			if err != nil {
				panic(err)
			}
			x.connect(s, io)
			io.OnConnect(func(x *socketio.Socket) {
				s.serving.Add(1)
				x.OnDisconnect(func(socketio.Reason) { s.serving.Add(-1) })
			})
			stop := s.web(io)
			return func(ctx context.Context) error {
				defer stop()
				return io.Shutdown(ctx)
			}
		},
		talk: func(ctx context.Context, s *stage) error {
			o := &socketio.DialOptions{
				Auth:         map[string]string{"token": "secret"},
				Engine:       engineio.DialOptions{HTTPClient: s.client, Transports: list},
				Reconnection: socketio.Reconnection{Off: !x.returns},
				Logger:       s.logger,
			}
			if x.returns {
				o.Retries, o.AckTimeout = 10, 5*time.Second
			}
			c, err := socketio.Dial(ctx, "http://example.com/", o)
			if err != nil {
				return err
			}
			err = x.client(ctx, c)
			c.Close()
			<-c.Done()
			return err
		},
	}
}
