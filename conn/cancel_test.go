package conn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// wire returns messages as a Peer of a Conn in the given role would send them.
func wire(role conn.Role, s shape, messages []string) []byte {
	var b []byte
	for i, m := range messages {
		for _, f := range s.frames(m) {
			f.Header.Length = int64(len(f.Payload))
			if f.Header.Masked = role == conn.RoleServer; f.Header.Masked {
				f.Header.MaskKey = [4]byte{byte(i), 2, 3, 4}
			}
			b = f.Append(b)
		}
	}
	return b
}

// someMessages returns n messages that differ, of up to n*step octets.
func someMessages(n, step int) []string {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = string(bytes.Repeat([]byte{byte('a' + i%26)}, i*step))
	}
	return messages
}

// readCancelled reads a message in as many calls as it takes, each of which
// ends after d, and a little more each time.
func readCancelled(c *conn.Conn, byEach bool, d, more time.Duration) (message string, cancelled int, err error) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), d+time.Duration(cancelled)*more)
		var p []byte
		if byEach {
			err = each(c, ctx, func(m conn.Message) error {
				p = bytes.Clone(m.Payload)
				return errEnough
			})
		} else {
			_, p, err = c.Read(ctx)
		}
		cancel()
		if err == nil || errors.Is(err, errEnough) {
			return string(p), cancelled, nil
		}
		if !isContextError(err) {
			return "", cancelled, err
		}
		cancelled++
	}
}

// A read whose ctx ends loses no octet, wherever in a message it is: here ten
// octets come a second, and a read has half of one.
func TestReadCancelled(t *testing.T) {
	messages := someMessages(20, 7)
	for _, s := range shapes {
		for _, each := range []bool{false, true} {
			t.Run(s.name, func(t *testing.T) {
				bothRoles(t, func(t *testing.T, role conn.Role) {
					synctest.Test(t, func(t *testing.T) {
						c, p := wstest.PipePeer(t, role, &wstest.PipeOptions{Deflate: deflate})
						octets := wire(role, s, messages)
						go func() {
							for i := range octets {
								<-time.After(100 * time.Millisecond)
								p.NetConn().Write(octets[i : i+1])
							}
						}()
						total := 0
						for i, want := range messages {
							got, cancelled, err := readCancelled(c, each, 470*time.Millisecond, 0)
							if err != nil || got != want {
								t.Fatalf("message %d: got %q, %v; want %q", i, got, err, want)
							}
							total += cancelled
						}
						if want := len(octets) / 10; total < want {
							t.Errorf("%d reads were cancelled, want %d at least", total, want)
						}
					})
				})
			})
		}
	}
}

// The same in real time, with the octets in any pieces and the ends of ctxs at
// any moment.
func TestReadCancelledAnywhere(t *testing.T) {
	messages := someMessages(scale(1000), 9)
	allStreams(t, func(t *testing.T, s stream) {
		for _, shape := range shapes {
			t.Run(shape.name, func(t *testing.T) {
				t.Parallel()
				a, b := s.make(t)
				defer b.Close()
				c := must(conn.New(&handshake.Result{Conn: a, Deflate: deflate}, conn.RoleServer, nil))
				defer c.CloseNow()
				defer within(t, time.Minute, c)()
				go writePieces(b, wire(conn.RoleServer, shape, messages))
				total := 0
				for i, want := range messages {
					got, cancelled, err := readCancelled(c, i%2 == 0, time.Duration(i%100)*time.Microsecond, time.Microsecond)
					if err != nil || got != want {
						t.Fatalf("message %d: got %d octets, %v; want %d", i, len(got), err, len(want))
					}
					total += cancelled
				}
				if total == 0 {
					t.Error("no read was cancelled")
				}
			})
		}
	})
}

// writePieces writes octets in pieces of any size.
func writePieces(nc net.Conn, octets []byte) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for len(octets) > 0 {
		n := 1 + rnd.IntN(min(len(octets), 1<<rnd.IntN(15)))
		if _, err := nc.Write(octets[:n]); err != nil {
			return
		}
		octets = octets[n:]
	}
}

// The end of a ctx comes at its time, leaves the Conn as it was, and is told
// from the ends of others.
func TestCancelTimes(t *testing.T) {
	inBubblesWith(t, &conn.Options{Limits: conn.Limits{PingInterval: -1, WriteTimeout: -1}}, 1<<10, func(b *bubble) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_, _, err := b.c.Read(ctx)
		wantError(b.T, err, context.DeadlineExceeded)
		b.at(3 * time.Second)
		_, _, err = b.c.Reader(ctx)
		wantError(b.T, err, context.DeadlineExceeded)
		wantError(b.T, b.c.Ping(ctx), context.DeadlineExceeded)
		wantError(b.T, b.c.Write(ctx, conn.Text, nil), context.DeadlineExceeded)
		_, err = b.c.Writer(ctx, conn.Text)
		wantError(b.T, err, context.DeadlineExceeded)
		b.at(3 * time.Second)

		background := context.Background()
		b.p.Send(wstest.Text("alive"))
		if _, got, err := b.c.Read(background); err != nil || string(got) != "alive" {
			b.Errorf("got %q, %v", got, err)
		}
		if err := b.c.Write(background, conn.Text, []byte("alive")); err != nil {
			b.Error(err)
		}
		b.p.Want(wstest.Text("alive"))

		// A peer that does not read: what has begun goes out whole later.
		message := make([]byte, 1<<20)
		ctx, cancel = context.WithTimeout(background, 3*time.Second)
		defer cancel()
		wantError(b.T, b.c.Write(ctx, conn.Binary, message), context.DeadlineExceeded)
		b.at(6 * time.Second)
		b.p.WantMessage(frame.Binary, message)
	})
}

// A Reader whose ctx ends in the middle of its message fails, and the next
// read begins behind that message.
func TestReaderCancelled(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		octets := b.octets(wstest.Text("0123456789"))
		b.p.SendBytes(octets[:len(octets)-5])
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, r, err := b.c.Reader(ctx)
		if err != nil {
			b.Fatal(err)
		}
		got, err := io.ReadAll(r)
		wantError(b.T, err, context.DeadlineExceeded)
		if string(got) != "01234" {
			b.Errorf("got %q", got)
		}
		b.at(time.Second)
		b.p.SendBytes(octets[len(octets)-5:])
		b.p.Send(wstest.Text("next"))
		if _, got, err := b.c.Read(context.Background()); err != nil || string(got) != "next" {
			b.Errorf("got %q, %v", got, err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
			b.Errorf("a Reader whose message was discarded gave %d octets, %v", n, err)
		}
	})
}

// A Write whose ctx ends has sent nothing, or sends everything, and the
// connection lives: when the peer reads at last it finds whole messages, all
// those among them whose Write returned nil.
func TestWriteCancelled(t *testing.T) {
	for _, size := range []int{10, 5000, 200_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inBubblesWith(t, &conn.Options{Limits: conn.Limits{Message: -1}}, 4<<10, func(b *bubble) {
				sent := make([]bool, max(20, 200_000/size))
				var writers sync.WaitGroup
				for i := range sent {
					writers.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%9)*time.Second)
						defer cancel()
						err := b.c.Write(ctx, conn.Binary, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size/2))
						sent[i] = err == nil
						if err != nil && !isContextError(err) {
							b.Errorf("message %d: %v", i, err)
						}
					})
				}
				b.sleep(9 * time.Second)
				writers.Wait()
				if err := b.c.Send(conn.NewPrepared(conn.Text, []byte("the end"))); err != nil {
					b.Error(err)
				}
				came := b.messagesUntil(frame.Text, size)
				for i, sent := range sent {
					if sent && came[i] != 1 || came[i] > 1 {
						b.Errorf("message %d: Write succeeded is %t, and it came %d times", i, sent, came[i])
					}
				}
			})
		})
	}
}

// messagesUntil reads messages up to one of kind last and counts them by the
// number that they consist of.
func (b *bubble) messagesUntil(last frame.Opcode, size int) map[int]int {
	b.Helper()
	came := make(map[int]int)
	for {
		f, err := b.p.Next()
		if err != nil {
			b.Fatal(err)
		}
		if f.Header.Opcode == last {
			return came
		}
		if want := bytes.Repeat(f.Payload[:2], size/2); !f.Header.Fin || !bytes.Equal(f.Payload, want) {
			b.Fatalf("got %v, which is no message that was written", f)
		}
		came[int(f.Payload[0])|int(f.Payload[1])<<8]++
	}
}
