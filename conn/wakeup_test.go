package conn_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// scale returns n, or a tenth of it where the tests are to be short or are
// slowed down by the race detector.
func scale(n int) int {
	if testing.Short() || conn.RaceEnabled {
		return n / 10
	}
	return n
}

// within fails the test and ends c, on which it hangs, unless stop is called
// in time.
func within(t *testing.T, d time.Duration, c *conn.Conn) (stop func() bool) {
	return time.AfterFunc(d, func() {
		t.Error("it hangs")
		c.CloseNow()
	}).Stop
}

// A peer may write as much as it likes before it reads: the Conn goes on
// reading, whatever it has to send meanwhile.
func TestPeerWritesFirst(t *testing.T) {
	const size = 1 << 16
	count := scale(100<<20) / size
	allStreams(t, func(t *testing.T, s stream) {
		bothRoles(t, func(t *testing.T, role conn.Role) {
			a, b := s.make(t)
			other := conn.RoleClient
			if role == conn.RoleClient {
				a, b, other = b, a, conn.RoleServer
			}
			c := must(conn.New(&handshake.Result{Conn: a}, role, nil))
			defer c.CloseNow()
			defer within(t, time.Minute, c)()
			p := wstest.NewPeer(t, b, other)
			failed := make(chan error, 1)
			go func() { failed <- countAndAnswer(c, count) }()
			writeFirst(p, b.Write, role, count, size)
			got, last := wstest.Frame{}, ""
			for got.Header.Opcode != frame.Text {
				var err error
				if got, err = p.Next(); err != nil {
					t.Fatal(err)
				}
				if got.Header.Opcode == frame.Pong {
					last = string(got.Payload)
				}
			}
			if want := fmt.Sprint(count, " messages, ", count*size, " octets"); string(got.Payload) != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if want := fmt.Sprint("ping ", (count-1)/2*2); last != want {
				t.Errorf("the last Pong was %q, want %q", last, want)
			}
			p.Close()
			<-failed
		})
	})
}

// countAndAnswer counts messages and answers behind the last one.
func countAndAnswer(c *conn.Conn, count int) error {
	messages, octets := 0, 0
	return each(c, context.Background(), func(m conn.Message) error {
		messages, octets = messages+1, octets+len(m.Payload)
		if messages < count {
			return nil
		}
		return c.Write(context.Background(), conn.Text, fmt.Append(nil, messages, " messages, ", octets, " octets"))
	})
}

// writeFirst sends count messages with Pings in between, less than the limit.
func writeFirst(p *wstest.Peer, write func([]byte) (int, error), role conn.Role, count, size int) {
	message := wstest.Binary(make([]byte, size))
	message.Header.Masked = role == conn.RoleServer
	octets := message.Append(nil)
	for i := range count {
		if i%2 == 0 {
			p.Send(wstest.Ping(fmt.Sprint("ping ", i)))
		}
		p.SendBytes(octets)
	}
}

// A message that is there is read: no wake-up is lost while 100,000 messages
// wait for each other.
func TestPingPong(t *testing.T) {
	for kind, n := range map[string]int{"Background": scale(100_000), "ctx": scale(20_000)} {
		allStreams(t, func(t *testing.T, s stream) {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				if kind == "Background" {
					ctx = context.Background()
				}
				server, client := s.conns(t, nil)
				defer within(t, 2*time.Minute, server)()
				echoed := make(chan error, 1)
				go func() {
					echoed <- each(server, ctx, func(m conn.Message) error {
						return server.Write(ctx, m.Type, m.Payload)
					})
				}()
				if err := pingPong(ctx, client, n/2); err != nil {
					t.Error(err)
				}
				if err := client.Close(frame.StatusNormalClosure, ""); err != nil {
					t.Error(err)
				}
				wantClosed(t, <-echoed, frame.StatusNormalClosure)
			})
		})
	}
}

// pingPong sends n numbers, each when the one before has come back.
func pingPong(ctx context.Context, c *conn.Conn, n int) error {
	var number [8]byte
	if err := c.Write(ctx, conn.Binary, number[:]); err != nil {
		return err
	}
	i := 0
	err := each(c, ctx, func(m conn.Message) error {
		if !bytes.Equal(m.Payload, number[:]) {
			return fmt.Errorf("got %x, want %x", m.Payload, number)
		}
		if i++; i == n {
			return errEnough
		}
		binary.BigEndian.PutUint64(number[:], uint64(i))
		return c.Write(ctx, conn.Binary, number[:])
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
