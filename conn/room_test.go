package conn_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// While a write is in flight, whoever is at it, others return until 64 KiB are on their way, and
// then wait for room.
func TestWriteWaitsForRoom(t *testing.T) {
	o := limits(conn.Limits{PingInterval: -1, WriteTimeout: -1})
	allOdds(t, o, 1<<10, nil, func(b *bubble) {
		ended := make(chan error, 2)
		go func() { ended <- b.c.Write(context.Background(), conn.Binary, make([]byte, 4<<10)) }()
		synctest.Wait() // it waits for the peer
		written := 0
		go func() {
			for {
				if err := b.c.Write(context.Background(), conn.Binary, make([]byte, 1<<10)); err != nil {
					ended <- err
					return
				}
				written++
			}
		}()
		synctest.Wait()
		if written < 60 || written > 64 {
			b.Errorf("%d writes of 1 KiB return without room", written)
		}
		b.c.CloseNow()
		<-ended
		<-ended
	})
}

// A meeting stream is measured, and calls meet while the first write is under way.
type meeting struct {
	measured
	meet func()
}

func (m *meeting) TryWrite(p []byte) (int, error) {
	if len(m.lengths) == 0 {
		defer m.meet()
	}
	return m.measured.TryWrite(p)
}

// A write that has ended leaves to the flusher what has met it. Until that begins there is no more
// room than before, and nobody gathers more than 64 KiB and a message.
func TestWriteWaitsForFlusher(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the flusher does not begin at once
	for range 20 {
		ours, theirs := pipe.New()
		s := &meeting{measured: measured{Conn: ours}}
		c := must(conn.New(&handshake.Result{Conn: s}, conn.RoleServer, nil))
		write := func() { wantNoError(t, c.Write(t.Context(), conn.Binary, make([]byte, 60<<10))) }
		s.meet = func() { write(); write() }
		write()
		write()
		if most := slices.Max(s.lengths); most > 128<<10 {
			t.Fatalf("the stream gets %d bytes at once", most)
		}
		c.CloseNow()
		theirs.Close()
	}
}

// The peer's time to answer runs once our Close frame is out, though it goes out with the end of a
// message that somebody else writes.
func TestCloseAfterLargeWrite(t *testing.T) {
	inBubblesWith(t, nil, 1<<10, func(b *bubble) {
		message := make([]byte, 1<<20)
		written := make(chan error, 1)
		go func() { written <- b.c.Write(context.Background(), conn.Binary, message) }()
		synctest.Wait()
		closed := startClose(b.c)
		b.sleep(time.Second)
		b.p.WantMessage(frame.Binary, message)
		b.p.WantClose(frame.StatusNormalClosure)
		if err := <-closed; err == nil {
			b.Error("Close of a silent peer = nil")
		}
		b.at(6 * time.Second)
		<-written
	})
}

// A large message begins where a batch is full up to a few bytes, of which its header alone needs more.
func TestLargeWriteWithoutRoom(t *testing.T) {
	o := limits(conn.Limits{PingInterval: -1, WriteTimeout: -1})
	allOdds(t, o, 1<<10, nil, func(b *bubble) {
		header := 4
		if b.role == conn.RoleClient {
			header += 4 // the key
		}
		first, filling, large := noise(4<<10), noise(64<<10-1-header), noise(100_000)
		var written []<-chan error
		for _, p := range [][]byte{first, filling, large} {
			written = append(written, call(func() error { return b.c.Write(context.Background(), conn.Binary, p) }))
			synctest.Wait()
		}
		for i, p := range [][]byte{first, filling, large} {
			b.p.WantMessage(frame.Binary, p)
			wantNoError(b.T, <-written[i])
		}
	})
}
