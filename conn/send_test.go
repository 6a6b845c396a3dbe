package conn_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// numbered returns message number i, of size octets.
func numbered(i, size int) *conn.Prepared {
	return conn.NewPrepared(conn.Text, []byte(numberedText(i, size)))
}

func numberedText(i, size int) string {
	s := fmt.Sprint(i, " ")
	return s + strings.Repeat("x", size-len(s))
}

// fill sends messages until one is refused and returns how many were not.
func fill(c *conn.Conn, size int) (sent int, err error) {
	for ; sent < 1e6; sent++ {
		if err := c.Send(numbered(sent, size)); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Send never waits: what the stream does not take is queued, by octets and by
// messages, and the one that is too many fails the connection with 1013.
func TestSendOverflowClose(t *testing.T) {
	const buffer = 10 << 10 // of the stream
	tests := []struct {
		name     string
		limits   conn.Limits
		size     int
		min, max int // messages
	}{
		{"octets", conn.Limits{}, 32 << 10, 31, 35},
		{"messages", conn.Limits{}, 100, 1024, 1024 + 64<<10/100 + 200},
		{"octets, set", conn.Limits{QueueBytes: 100_000}, 1000, 90, 190},
		{"messages, set", conn.Limits{QueueMessages: 3}, 8 << 10, 3, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubblesWith(t, &conn.Options{Limits: tt.limits}, buffer, func(b *bubble) {
				failed := reading(b.c)
				synctest.Wait()
				sent, err := fill(b.c, tt.size)
				wantError(b.T, err, conn.ErrQueueFull)
				if code := conn.CloseStatus(err); code != frame.StatusTryAgainLater {
					b.Errorf("status %v", code)
				}
				if sent < tt.min || sent > tt.max {
					b.Errorf("%d messages were taken, want %d to %d", sent, tt.min, tt.max)
				}
				b.at(0)
				for i := 0; ; i++ {
					f, err := b.p.Next()
					if err != nil {
						b.Fatal(err)
					}
					if f.Header.Opcode == frame.Close {
						code, _, _ := frame.ParseClose(f.Payload)
						if code != frame.StatusTryAgainLater {
							b.Errorf("got %v", f)
						}
						if i >= sent {
							b.Error("what was queued has left before the Close frame")
						}
						break
					}
					if want := numberedText(i, tt.size); string(f.Payload) != want {
						b.Fatalf("message %d is %v", i, f)
					}
				}
				b.p.Send(wstest.Close(frame.StatusTryAgainLater, ""))
				b.p.CloseWrite()
				<-failed
				wantError(b.T, b.c.Send(numbered(0, 10)), conn.ErrQueueFull)
			})
		})
	}
}

// A peer that does not read does not even see that it was closed: it is cut
// after CloseTimeout.
func TestSendOverflowStopped(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		failed := reading(b.c)
		if _, err := fill(b.c, 1000); err == nil {
			b.Error("a queue without an end")
		}
		wantError(b.T, <-failed, conn.ErrQueueFull)
		b.at(0)
		<-b.c.Done()
		b.at(5 * time.Second)
	})
}

// With OverflowDropOldest the newest messages are kept, in order, and the
// connection lives.
func TestSendDropOldest(t *testing.T) {
	o := &conn.Options{Overflow: conn.OverflowDropOldest, Limits: conn.Limits{QueueMessages: 10}}
	inBubblesWith(t, o, 4<<10, func(b *bubble) {
		failed := reading(b.c)
		const count, size = 1000, 500
		for i := range count {
			if err := b.c.Send(numbered(i, size)); err != nil {
				b.Fatal(err)
			}
		}
		if err := b.c.Send(numbered(0, 2<<20)); err != conn.ErrQueueFull {
			b.Errorf("Send of more than the queue holds = %v", err)
		}
		var got []int
		for len(got) == 0 || got[len(got)-1] != count-1 {
			f, err := b.p.Next()
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			fmt.Sscan(string(f.Payload), &i)
			if string(f.Payload) != numberedText(i, size) || len(got) > 0 && i <= got[len(got)-1] {
				b.Fatalf("got %v behind %v", f, got)
			}
			got = append(got, i)
		}
		if last := got[max(0, len(got)-10):]; last[0] != count-len(last) || len(got) > 100 {
			b.Errorf("got %v, want the last 10 at its end, and few before", got)
		}
		if err := b.c.Send(numbered(7, 10)); err != nil {
			b.Error(err)
		}
		b.p.Want(wstest.Text(numberedText(7, 10)))
		b.c.CloseNow()
		wantClosedHere(b.T, <-failed)
	})
}

// Messages of Send and Write keep the order in which they were given.
func TestSendOrder(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		ctx := context.Background()
		go func() {
			for i := range 300 {
				var err error
				switch i % 3 {
				case 0:
					err = b.c.Send(numbered(i, 100+i))
				case 1:
					err = b.c.Write(ctx, conn.Text, []byte(numberedText(i, 100+i)))
				case 2:
					err = b.c.WritePrepared(ctx, numbered(i, 100+i))
				}
				if err != nil {
					b.Error(err)
				}
			}
		}()
		for i := range 300 {
			b.p.Want(wstest.Text(numberedText(i, 100+i)))
		}
	})
}

// Some receivers of a broadcast who have stopped reading are closed, cost no
// more than their queue, and keep nobody else.
func TestBroadcastStoppedReaders(t *testing.T) {
	receivers := scale(10_000)
	const messages, size = 20, 100
	o := limits(conn.Limits{QueueMessages: 4})
	var servers, clients []*conn.Conn
	for range receivers {
		s, c := wstest.Pipe(&wstest.PipeOptions{Server: o, Size: 1 << 10})
		servers, clients = append(servers, s), append(clients, c)
	}
	var got sync.WaitGroup // messages of one round
	var readers sync.WaitGroup
	for i, c := range clients {
		if i%10 == 0 {
			continue // has stopped reading
		}
		readers.Go(func() {
			each(c, context.Background(), func(conn.Message) error {
				got.Done()
				return nil
			})
		})
	}
	refused := make(map[int]bool)
	for i := range messages {
		got.Add(receivers - receivers/10)
		m := numbered(i, size)
		for j, s := range servers {
			if err := s.Send(m); err != nil {
				refused[j] = true
			}
		}
		got.Wait()
	}
	for j := range servers {
		if refused[j] != (j%10 == 0) {
			t.Fatalf("receiver %d: closed is %t", j, refused[j])
		}
	}
	for i := range clients {
		servers[i].CloseNow()
		clients[i].CloseNow()
	}
	readers.Wait()
}
