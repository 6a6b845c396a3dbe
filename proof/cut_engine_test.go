package proof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// transports are the ways in which a session may go.
var transports = map[string][]string{
	"polling": {"polling"}, "websocket": {"websocket"}, "upgrade": {"polling", "websocket"},
}

// An inbox is an engineio.Receiver that hands on what comes.
type inbox struct {
	messages chan string
	closed   chan struct{}
	got      func(data string)
}

func newInbox() *inbox {
	return &inbox{messages: make(chan string, 100), closed: make(chan struct{})}
}

func (b *inbox) Message(data []byte, _ bool) {
	if b.got != nil {
		b.got(string(data))
		return
	}
	b.messages <- string(data)
}

func (b *inbox) Closed(engineio.Reason) { close(b.closed) }

// next returns the next message.
func (b *inbox) next(ctx context.Context) (string, error) {
	select {
	case m := <-b.messages:
		return m, nil
	case <-b.closed:
		<-time.After(time.Second) // a call of Message may be running still
		select {
		case m := <-b.messages:
			return m, nil
		default:
			return "", engineio.ErrClosed
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// want returns an error unless the next message is number n.
func (b *inbox) want(ctx context.Context, n int) error {
	m, err := b.next(ctx)
	if err == nil && m != word(n) {
		err = fmt.Errorf("%w: %q", errWrong, m)
	}
	return err
}

// An engineScript is what happens in a session of Engine.IO.
type engineScript struct {
	name   string
	open   func(s *stage, x *engineio.Session, b *inbox)
	client func(ctx context.Context, c *engineio.Client, b *inbox) error
}

// engineEcho sends back what it knows to be whole.
func engineEcho(s *stage, x *engineio.Session, b *inbox) {
	b.got = func(m string) {
		var n int
		if _, err := fmt.Sscanf(m, "message %d:", &n); err != nil || m != word(n) {
			s.fault("the server has got %q", m)
		}
		_ = x.Send(engineio.NewMessage([]byte(m), n%2 == 1))
	}
}

var engineScripts = []engineScript{
	{"echo", engineEcho, func(ctx context.Context, c *engineio.Client, b *inbox) error {
		for n := range 4 {
			if err := c.Send(engineio.NewMessage([]byte(word(n)), n%2 == 1)); err != nil {
				return err
			}
			if err := b.want(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}},
	{"at once", engineEcho, func(ctx context.Context, c *engineio.Client, b *inbox) error {
		for n := range 6 {
			if err := c.Send(engineio.NewMessage([]byte(word(n)), n%2 == 1)); err != nil {
				return err
			}
		}
		for n := range 6 {
			if err := b.want(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}},
	{"the server closes", func(_ *stage, x *engineio.Session, _ *inbox) {
		_ = x.Send(engineio.NewMessage([]byte(word(1)), false), engineio.NewMessage([]byte(word(2)), true))
		go x.Close()
	}, func(ctx context.Context, _ *engineio.Client, b *inbox) error {
		for n := range 2 {
			if err := b.want(ctx, n+1); err != nil {
				return err
			}
		}
		_, err := b.next(ctx)
		if errors.Is(err, engineio.ErrClosed) {
			return nil
		}
		return err
	}},
}

// engines returns the conversations of Engine.IO: each script over each transport, on both
// shells.
func engines() (all []*conversation) {
	for _, x := range engineScripts {
		for name, list := range transports {
			for shell, loop := range shells {
				all = append(all, engine(x, list, loop, "Engine.IO, "+x.name+", "+name+", "+shell))
			}
		}
	}
	return all
}

func engine(x engineScript, list []string, loop func() *conn.Loop, name string) *conversation {
	return &conversation{
		name: name,
		serve: func(s *stage) func(context.Context) error {
			server, err := engineio.NewServer(func(session *engineio.Session) engineio.Receiver {
				s.serving.Add(1)
				b := newInbox()
				x.open(s, session, b)
				return &leaving{b, s}
			}, &engineio.Options{Logger: s.logger, Loop: loop()})
			if err != nil {
				panic(err)
			}
			stop := s.web(server)
			return func(ctx context.Context) error {
				defer stop()
				return server.Shutdown(ctx)
			}
		},
		talk: func(ctx context.Context, s *stage) error {
			b := newInbox()
			c, err := engineio.Dial(ctx, "http://example.com/engine.io/", func(*engineio.Client) engineio.Receiver { return b },
				&engineio.DialOptions{HTTPClient: s.client, Transports: list, Logger: s.logger})
			if err != nil {
				return err
			}
			err = x.client(ctx, c, b)
			if err == nil {
				_ = c.Flush(ctx) // the server may have closed
			}
			c.Close()
			<-c.Done()
			if err != nil && c.Err() == nil {
				s.fault("the client fails with %v, and gives no cause of its end", err)
			}
			return err
		},
	}
}

// leaving is an inbox of a server's, which counts.
type leaving struct {
	*inbox
	s *stage
}

func (l *leaving) Closed(r engineio.Reason) {
	l.inbox.Closed(r)
	l.s.serving.Add(-1)
}
