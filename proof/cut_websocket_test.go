package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A script is what happens on a WebSocket.
type script struct {
	name   string
	server func(ctx context.Context, c *conn.Conn) error
	client func(ctx context.Context, c *conn.Conn) error
}

// word returns message number n.
func word(n int) string { return fmt.Sprintf("message %d: %s", n, strings.Repeat("wörd ", n)) }

// echo is a server that sends back what it knows to be whole.
func echo(ctx context.Context, c *conn.Conn) error {
	return c.Each(ctx, func(m conn.Message) error {
		var n int
		if _, err := fmt.Sscanf(string(m.Payload), "message %d:", &n); err != nil || string(m.Payload) != word(n) {
			return errWrong
		}
		return c.Write(ctx, m.Type, m.Payload)
	})
}

// expect reads message number n.
func expect(ctx context.Context, c *conn.Conn, n int) error {
	_, p, err := c.Read(ctx)
	if err == nil && string(p) != word(n) {
		err = fmt.Errorf("%w: %q", errWrong, p)
	}
	return err
}

// ask sends message number n and reads the answer.
func ask(ctx context.Context, c *conn.Conn, t conn.MessageType, n int) error {
	if err := c.Write(ctx, t, []byte(word(n))); err != nil {
		return err
	}
	return expect(ctx, c, n)
}

var scripts = []script{
	{"texts", echo, func(ctx context.Context, c *conn.Conn) error {
		for n := range 3 {
			if err := ask(ctx, c, conn.Text, n); err != nil {
				return err
			}
		}
		return c.Close(frame.StatusNormalClosure, "thank you")
	}},
	{"binary", echo, func(ctx context.Context, c *conn.Conn) error {
		if err := ask(ctx, c, conn.Binary, 40); err != nil {
			return err
		}
		return c.Close(frame.StatusNormalClosure, "")
	}},
	{"many at once", echo, func(ctx context.Context, c *conn.Conn) error {
		for n := range 8 {
			if err := c.Write(ctx, conn.Text, []byte(word(n))); err != nil {
				return err
			}
		}
		for n := range 8 {
			if err := expect(ctx, c, n); err != nil {
				return err
			}
		}
		return c.Close(frame.StatusNormalClosure, "")
	}},
	{"ping", echo, func(ctx context.Context, c *conn.Conn) error {
		read := make(chan error, 1)
		go func() { _, _, err := c.Read(ctx); read <- err }()
		err := c.Ping(ctx)
		if err == nil {
			err = c.Write(ctx, conn.Text, []byte(word(1)))
		}
		if err != nil {
			c.CloseNow()
		}
		return errors.Join(err, <-read, c.Close(frame.StatusNormalClosure, ""))
	}},
	{"the server closes", func(ctx context.Context, c *conn.Conn) error {
		if err := c.Write(ctx, conn.Text, []byte(word(2))); err != nil {
			return err
		}
		return &conn.CloseError{Code: 4000, Reason: "enough"}
	}, func(ctx context.Context, c *conn.Conn) error {
		if err := expect(ctx, c, 2); err != nil {
			return err
		}
		_, _, err := c.Read(ctx)
		if e, ok := errors.AsType[*conn.CloseError](err); ok && e.Code == 4000 && e.Reason == "enough" {
			return nil
		}
		return err
	}},
	{"the client closes", echo, func(_ context.Context, c *conn.Conn) error {
		return c.Close(4001, "nothing to say")
	}},
	{"the server speaks", func(ctx context.Context, c *conn.Conn) error {
		quiet := c.CloseRead(ctx)
		for n := range 5 {
			if err := c.Write(quiet, conn.Text, []byte(word(n))); err != nil {
				return err
			}
		}
		<-quiet.Done()
		return nil
	}, func(ctx context.Context, c *conn.Conn) error {
		for n := range 5 {
			if err := expect(ctx, c, n); err != nil {
				return err
			}
		}
		return c.Close(frame.StatusGoingAway, "")
	}},
	{"a stream", func(_ context.Context, c *conn.Conn) error {
		nc := conn.NetConn(c, conn.Binary)
		_, err := io.Copy(nc, nc)
		return err
	}, func(ctx context.Context, c *conn.Conn) error {
		nc := conn.NetConn(c, conn.Binary)
		stop := context.AfterFunc(ctx, func() { c.CloseNow() })
		defer stop()
		if _, err := io.WriteString(nc, word(9)); err != nil {
			return err
		}
		b := make([]byte, len(word(9)))
		if _, err := io.ReadFull(nc, b); err != nil {
			return err
		}
		if string(b) != word(9) {
			return errWrong
		}
		return nc.Close()
	}},
}

// webSockets returns the conversations of plain WebSocket: each script with and without
// compression, by net/http and without it.
func webSockets() (all []*conversation) {
	deflates := map[string]*handshake.DeflateOptions{
		"plain": nil, "deflate": {}, "takeover": {ServerContextTakeover: true, ClientContextTakeover: true},
	}
	for _, x := range scripts {
		for name, deflate := range deflates {
			for _, raw := range []bool{false, true} {
				by := "net/http"
				if raw {
					by = "ServeConns"
				}
				all = append(all, webSocket(x, deflate, raw, fmt.Sprintf("%s, %s, %s", x.name, name, by)))
			}
		}
	}
	return all
}

func webSocket(x script, deflate *handshake.DeflateOptions, raw bool, name string) *conversation {
	compression := conn.Options{Compression: conn.Compression{MinSize: -1}}
	return &conversation{
		name: name,
		serve: func(s *stage) func(context.Context) error {
			server := &conn.Server{
				Options: &conn.AcceptOptions{Handshake: handshake.Options{Deflate: deflate}, Conn: compression},
				Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
					s.serving.Add(1)
					defer s.serving.Add(-1)
					err := x.server(ctx, c)
					if errors.Is(err, errWrong) {
						s.fault("the server has got what nobody sent")
					}
					return err
				},
				OnError:  func(*conn.Conn, error) {},
				OnRefuse: func(*http.Request, error) {},
			}
			stop := func() {}
			if raw {
				go server.ServeConns(s.w)
			} else {
				stop = s.web(server)
			}
			return func(ctx context.Context) error {
				defer stop()
				return server.Shutdown(ctx)
			}
		},
		talk: func(ctx context.Context, s *stage) error {
			c, _, err := conn.Dial(ctx, "ws://example.com/", &conn.DialOptions{
				Handshake: handshake.DialOptions{HTTPClient: s.client, Deflate: deflate}, Conn: compression,
			})
			if err != nil {
				return err
			}
			defer func() {
				c.CloseNow()
				<-c.Done()
			}()
			return x.client(ctx, c)
		},
	}
}
