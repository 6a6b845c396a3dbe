package conn_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

// wantNothingAfterClose reads what is on the wire up to the end of the stream,
// and fails the test unless a Close frame is the last of it.
func (l *link) wantNothingAfterClose(code frame.StatusCode) {
	l.Helper()
	for closed := false; ; {
		f, err := l.p.Next()
		switch {
		case errors.Is(err, io.EOF) && closed:
			return
		case err != nil:
			l.Fatalf("got %v, want frames up to the end; Close frame %t", err, closed)
		case closed:
			l.Errorf("%.60s comes after the Close frame", f)
		case f.Header.Opcode == frame.Close:
			closed = true
			if got, _, err := frame.ParseClose(f.Payload); err != nil || got != code {
				l.Errorf("got %v, want close %v", f, code)
			}
			l.p.Send(wstest.Close(frame.StatusNormalClosure, "")) // as a peer does
			l.p.CloseWrite()
		}
	}
}

// A full pipe is one whose peer has stopped reading, so that more than a batch
// waits to be sent, and a Pong has to wait for room.
func (l *link) fill() (wrote <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	l.Cleanup(cancel)
	wrote = call(func() error {
		for {
			if err := l.c.Write(ctx, conn.Binary, noise(30_000)); err != nil {
				return err
			}
		}
	})
	l.settle()
	return wrote
}

// Nothing comes after our Close frame, whoever sends it and whatever waits then:
// the Pong of a Ping that came while writing was blocked, a Ping of ours, a
// message, the rest of a frame.
func TestNothingAfterClose(t *testing.T) {
	ends := []struct {
		name string
		end  func(l *link)
		code frame.StatusCode
	}{
		{"Close", func(l *link) { startClose(l.c) }, frame.StatusNormalClosure},
		{"peer closes", func(l *link) { l.p.Send(wstest.Close(4000, "")) }, 4000},
		{"peer breaks a rule", func(l *link) { l.p.Send(wstest.Text("\xFF")) }, frame.StatusInvalidPayload},
	}
	waits := []struct {
		name string
		wait func(l *link)
	}{
		{"Pong", func(l *link) { l.p.Send(wstest.Ping("one"), wstest.Ping("two")) }},
		{"Ping", func(l *link) { call(func() error { return l.c.Ping(context.Background()) }) }},
		{"large message", func(l *link) {
			call(func() error { return l.c.Write(context.Background(), conn.Binary, noise(200_000)) })
			l.settle()
			l.p.Send(wstest.Ping("one"))
		}},
		{"Writer", func(l *link) {
			call(func() error {
				w, err := l.c.Writer(context.Background(), conn.Binary)
				if err == nil {
					err = write(w, noise(300_000))
				}
				return err
			})
			l.settle()
			l.c.Send(conn.NewPrepared(conn.Text, []byte("behind the Writer")))
			l.p.Send(wstest.Ping("one"))
		}},
	}
	for _, filled := range []bool{true, false} {
		for _, wait := range waits {
			for _, end := range ends {
				name := "idle, "
				if filled {
					name = "filled, "
				}
				t.Run(name+wait.name+", "+end.name, func(t *testing.T) {
					overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
						l := s.link(t, nil, 4<<10)
						failed := reading(l.c)
						if filled {
							l.fill()
						}
						wait.wait(l)
						l.settle()
						end.end(l)
						l.settle()
						l.wantNothingAfterClose(end.code)
						await(l, "Each", failed)
					})
				})
			}
		}
	}
}

// The Ping of the keepalive and those of the user are answered by the latest
// Pong, as a peer may (RFC 6455, section 5.5.3).
func TestLatestPongAnswersAll(t *testing.T) {
	overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		failed := reading(l.c)
		l.sleep(24 * time.Second)
		first := call(func() error { return l.c.Ping(context.Background()) })
		second := call(func() error { return l.c.Ping(context.Background()) })
		l.settle()
		l.wantPing()
		l.wantPing()
		latest := l.wantPing()
		l.atWithGrace(25 * time.Second)
		l.p.Send(latest)
		wantNoError(t, await(l, "a Ping", first))
		wantNoError(t, await(l, "a Ping", second))
		l.atWithGrace(25 * time.Second)

		// A Ping of the user's after one of the keepalive.
		l.wantPing()
		third := call(func() error { return l.c.Ping(context.Background()) })
		latest = l.wantPing()
		l.p.Send(latest)
		wantNoError(t, await(l, "a Ping", third))

		// One that is sent later is not answered by an earlier Pong.
		fourth := call(func() error { return l.c.Ping(context.Background()) })
		answer := l.wantPing()
		l.p.Send(latest)
		l.settle()
		if len(fourth) > 0 {
			l.Errorf("an old Pong answered a Ping: %v", <-fourth)
		}
		l.p.Send(answer)
		wantNoError(t, await(l, "a Ping", fourth))
		l.c.CloseNow()
		await(l, "Each", failed)
	})
}

// wantPing waits for a Ping and returns the Pong that answers it.
func (l *link) wantPing() wstest.Frame {
	l.Helper()
	f, err := l.p.Next()
	if err != nil || f.Header.Opcode != frame.Ping {
		l.Fatalf("got %v, %v; want a Ping", f, err)
	}
	return wstest.Pong(string(f.Payload))
}

// A peer from which nothing comes is cut, and everybody is told why, whatever
// the stream.
func TestDeadPeer(t *testing.T) {
	for _, way := range calls[:3] {
		t.Run(way.name, func(t *testing.T) {
			overStreams(t, func(t *testing.T, s streamCase) {
				o, end := (*conn.Options)(nil), 45*time.Second
				if !s.memory {
					o, end = limits(conn.Limits{PingInterval: 200 * time.Millisecond, PingTimeout: 200 * time.Millisecond}), 400*time.Millisecond
				}
				l := s.link(t, o, 0)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				pinging := call(func() error { return l.c.Ping(ctx) })
				err := way.call(ctx, l.c)
				l.atWithGrace(end)
				wantError(t, err, os.ErrDeadlineExceeded)
				if !strings.Contains(err.Error(), "no byte from the peer") {
					l.Errorf("%s = %v, want that nothing came from the peer", way.name, err)
				}
				wantError(t, await(l, "Ping", pinging), os.ErrDeadlineExceeded)
				l.atWithGrace(end)
				l.wantAllSay(cause(err))
			})
		})
	}
}
