package conn_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// What has arrived is read, whichever half of the connection learns of the end
// first: a write that fails loses no message of the peer's, nor its Close frame.

// lastWords are the messages that a peer sends before it ends the stream.
var lastWords = []string{"one", "two", "three", string(make([]byte, 20_000)), "five"}

// sendLastWords sends them, one of them in fragments with a Ping in between.
func (l *link) sendLastWords() {
	l.Helper()
	l.p.Send(l.text(lastWords[0]), l.text(lastWords[1]))
	l.p.Send(wstest.Text("th").More(), wstest.Ping(""), wstest.Cont("ree"))
	l.p.Send(l.text(lastWords[3]), l.text(lastWords[4]))
}

// readWords reads messages until there are no more.
func readWords(c *conn.Conn) (words []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, p, err := c.Read(ctx)
		if err != nil {
			return words, err
		}
		words = append(words, string(p))
	}
}

// wantWords fails the test unless the words that were read are the last of want.
func (l *link) wantWords(got, want []string) {
	l.Helper()
	if len(got) != len(want) {
		l.Errorf("%d messages were read, want %d", len(got), len(want))
		return
	}
	for i, w := range want {
		if got[i] != w {
			l.Errorf("message %d is %.20q, want %.20q", i, got[i], w)
		}
	}
}

// writeUntilError writes small messages until a call fails. On a socket the
// first ones may still find room.
func (l *link) writeUntilError() error {
	l.Helper()
	for range 10_000 {
		if err := l.c.Write(context.Background(), conn.Text, []byte("text")); err != nil {
			return err
		}
	}
	l.Fatal("no write fails")
	return nil
}

// isWriteError reports whether err tells of a stream that takes no more, as it
// came from the stream.
func isWriteError(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrClosedPipe)
}

// A peer that sends its last messages and a Close frame, and ends the stream,
// may be found gone by a write before anything of that is read.
func TestArrivedBeforeWriteFailure(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		l.sendLastWords()
		l.p.Send(wstest.Close(4000, "bye"))
		l.hardClose()
		if err := l.writeUntilError(); !isWriteError(err) {
			l.Errorf("Write = %v, want what the stream said", err)
		}
		words, err := readWords(l.c)
		l.wantWords(words, lastWords)
		l.wantCause("Read", err, peerClosed(4000))
		l.at(0)
		l.wantAllSay(peerClosed(4000))
	})
}

// The same without a Close frame: the messages are delivered, and then the end
// of the stream is reported.
func TestArrivedBeforeWriteFailureWithoutClose(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		l.sendLastWords()
		l.hardClose()
		if err := l.writeUntilError(); !isWriteError(err) {
			l.Errorf("Write = %v, want what the stream said", err)
		}
		words, err := readWords(l.c)
		l.wantWords(words, lastWords)
		if !isWriteError(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
			l.Errorf("Read = %v, want what became of the stream", err)
		}
		l.at(0)
		l.wantAllSay(cause(err))
	})
}

// The write that fails may be one of the callback of Each, which has more
// messages at hand: they are delivered.
func TestArrivedBeforeWriteFailureInCallback(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		l.sendLastWords()
		l.p.Send(wstest.Close(4000, "bye"))
		l.hardClose()
		var words []string
		err := each(l.c, context.Background(), func(m conn.Message) error {
			words = append(words, string(m.Payload))
			l.c.Write(context.Background(), conn.Text, []byte("answer"))
			return nil
		})
		l.wantWords(words, lastWords)
		l.wantCause("Each", err, peerClosed(4000))
		l.at(0)
	})
}

// onBusyStream runs f in both roles, with a connection whose peer has sent its last words, and whose
// last write has failed.
func onBusyStream(t *testing.T, f func(l *link, b *busy)) {
	for _, role := range []conn.Role{conn.RoleServer, conn.RoleClient} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := pipe.New()
			b := &busy{tap: &tap{Conn: ours}}
			c := must(conn.New(&handshake.Result{Conn: b}, role, nil))
			defer c.CloseNow()
			l := &link{T: t, streamCase: streamCase{role: role, streamKind: streamKind{memory: true}}, c: c, p: wstest.NewPeer(t, theirs, !role)}
			l.sendLastWords()
			b.failWrites(syscall.EPIPE)
			wantError(t, c.Write(context.Background(), conn.Text, []byte("text")), syscall.EPIPE)
			l.start = time.Now()
			f(l, b)
			if b.waits > 0 {
				t.Error("no read had a deadline")
			}
		})
	}
}

// A busy stream is one whose reader has to wait after it has set a deadline, some times.
type busy struct {
	*tap
	waits int
	d     time.Duration // how long; 0: until the deadline has passed for sure
}

func (b *busy) SetReadDeadline(at time.Time) error {
	if err := b.tap.SetReadDeadline(at); err != nil || at.Before(time.Now()) || b.waits == 0 {
		return err
	}
	b.waits--
	<-time.After(cmp.Or(b.d, time.Until(at)+time.Millisecond))
	return nil
}

// What has arrived is delivered too if the reader waits so long for its turn that the deadline of
// its read has passed before the read begins, in three of four attempts.
func TestArrivedBeforeWriteFailureOnBusyMachine(t *testing.T) {
	onBusyStream(t, func(l *link, b *busy) {
		l.p.Send(wstest.Close(4000, "bye"))
		b.waits = 3
		words, err := readWords(l.c)
		l.wantWords(words, lastWords)
		l.wantCause("Read", err, peerClosed(4000))
	})
}

// A ctx that ends while the reader waits for its turn ends the read, whose own deadline comes later.
func TestContextAfterWriteFailureOnBusyMachine(t *testing.T) {
	onBusyStream(t, func(l *link, b *busy) {
		for range lastWords {
			must2(l.c.Read(context.Background()))
		}
		b.waits, b.d = 1, 100*time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), b.d/2)
		defer cancel()
		_, _, err := l.c.Read(ctx)
		wantError(l.T, err, context.DeadlineExceeded)
		l.at(b.d)
	})
}

// A write may fail while the peer's direction of the stream lives. What has
// arrived is delivered, and a peer that stays silent does not keep the reader.
func TestWriteFailureWithLivingPeer(t *testing.T) {
	overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
		for name, closes := range map[string]bool{"it closes": true, "it is silent": false} {
			l := s.link(t, nil, 0)
			l.sendLastWords()
			if closes {
				l.p.Send(wstest.Close(4000, "bye"))
			}
			l.tap.failWrites(syscall.EPIPE)
			err := l.c.Write(context.Background(), conn.Text, []byte("text"))
			wantError(t, err, syscall.EPIPE)
			words, err := readWords(l.c)
			l.wantWords(words, lastWords)
			if closes {
				l.wantCause(name, err, peerClosed(4000))
				l.at(0)
				l.wantAllSay(peerClosed(4000))
			} else {
				wantError(t, err, syscall.EPIPE)
				l.between(0, 6*time.Second)
				l.wantAllSay(cause(err))
			}
			l.wantStreamClosedWithin(7 * time.Second)
		}
	})
	// A read that waits already is told, too.
	overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		failed := reading(l.c)
		l.settle()
		l.tap.failWrites(syscall.EPIPE)
		wantError(t, l.c.Write(context.Background(), conn.Text, []byte("text")), syscall.EPIPE)
		wantError(t, await(l, "Each", failed), syscall.EPIPE)
		l.between(0, 6*time.Second)
	})
}

// wantStreamClosedWithin fails the test unless the stream was closed when d had
// gone since the start, at the latest.
func (l *link) wantStreamClosedWithin(d time.Duration) {
	l.Helper()
	l.sleep(time.Minute)
	l.tap.mu.Lock()
	defer l.tap.mu.Unlock()
	if at := l.tap.closed.Sub(l.start); l.tap.closed.IsZero() || at > d {
		l.Errorf("the stream was closed after %v, want %v at most", at, d)
	}
}

// A peer that has stopped reading, and so stalls our write, has sent messages
// before: they are delivered although the write is given up.
//
// On a stream without deadlines only closing it ends the write, and what it
// held is lost with it.
func TestArrivedBeforeStall(t *testing.T) {
	const timeout = time.Second
	kinds := kindsThat(func(k streamKind) bool { return k.deadlines == deadlinesWork })
	for name, closes := range map[string]bool{"it closes": true, "it is silent": false} {
		t.Run(name, func(t *testing.T) {
			overKinds(t, kinds, func(t *testing.T, s streamCase) {
				l := s.link(t, limits(conn.Limits{WriteTimeout: timeout}), 4<<10)
				words := []string{"one", "two", "three"}
				l.p.Send(l.text("one"), l.text("two"), l.text("three"))
				if closes {
					l.p.Send(wstest.Close(4000, "bye"))
				}
				wrote := call(func() error { return l.c.Write(context.Background(), conn.Binary, noise(4<<20)) })
				err := <-wrote
				l.wantCause("Write", err, writeStalled)
				l.between(timeout, 2*timeout) // the first bytes were progress
				got, err := readWords(l.c)
				l.wantWords(got, words)
				if closes {
					l.wantCause("Read", err, peerClosed(4000))
					l.between(timeout, 2*timeout)
				} else {
					wantError(t, err, os.ErrDeadlineExceeded)
				}
				l.wantAllSay(cause(err))
			})
		})
	}
}
