package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// A pair is a server's connection and a client's, which comes back. Either may send a numbered
// message every so often, and the other checks that none is missing.
type pair struct {
	t                      *testing.T
	w                      *world
	opened, served         diary // when the client had a connection, and the server
	clientEnded, srvEnded  diary
	clientHeard, srvHeard  diary
	clientSends, srvSends  time.Duration // 0: never
	serverWrote, cliWrote  atomic.Int64
	over                   chan struct{}
	message                int // bytes of each message
	deflate                *handshake.DeflateOptions
	limits                 conn.Limits
	clientBytes, srvrBytes atomic.Int64
}

// start connects a pair. Its times are the defaults.
func (p *pair) start(loop *conn.Loop) {
	p.t.Helper()
	p.opened.name, p.served.name, p.clientEnded.name, p.srvEnded.name = "connections of the client", "of the server", "ends at the client", "at the server"
	options := conn.Options{Loop: loop, Limits: p.limits}
	server := &conn.Server{
		Options: &conn.AcceptOptions{Conn: options, Handshake: handshake.Options{Deflate: p.deflate}},
		OnError: func(*conn.Conn, error) {},
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			p.served.note("open")
			go func() {
				<-ctx.Done()
				p.srvEnded.note(why(c.Flush(context.Background())))
			}()
			if p.srvSends > 0 {
				go p.send(ctx, c, p.srvSends, &p.serverWrote)
			}
			next := uint64(1)
			return func(m conn.Message) error {
				p.srvrBytes.Add(int64(len(m.Payload)))
				return p.heard(&p.srvHeard, m, &next)
			}
		},
	}
	p.w.serve(p.t, server)
	options.Loop = nil
	web := p.w.web()
	r := &conn.Redialer{
		URL: "ws://" + serverAddress + "/",
		Options: &conn.DialOptions{
			Conn: options, Handshake: handshake.DialOptions{HTTPClient: web, Deflate: p.deflate},
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	p.over = make(chan struct{})
	go func() {
		defer close(p.over)
		r.Run(ctx, func(ctx context.Context, c *conn.Conn) error {
			p.opened.note("open")
			if p.clientSends > 0 {
				go p.send(ctx, c, p.clientSends, &p.cliWrote)
			}
			next := uint64(1)
			err := c.Each(ctx, func(m conn.Message) error {
				p.clientBytes.Add(int64(len(m.Payload)))
				return p.heard(&p.clientHeard, m, &next)
			})
			p.clientEnded.note(why(err))
			return err
		})
	}()
	p.t.Cleanup(func() {
		stop()
		p.w.down(false)
		select {
		case <-p.over:
		case <-time.After(30 * time.Second):
			p.t.Error("the Redialer has not returned")
		}
	})
	p.opened.await(p.t, 0, 20*time.Second)
	p.served.await(p.t, 0, 20*time.Second)
}

// why says in a few words why a connection has ended.
func why(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "keepalive"
	case errors.Is(err, syscall.ETIMEDOUT):
		return "TCP_USER_TIMEOUT"
	}
	return err.Error()
}

// send sends numbered messages until the connection ends.
func (p *pair) send(ctx context.Context, c *conn.Conn, every time.Duration, count *atomic.Int64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	message := make([]byte, max(p.message, 8))
	for i := range message { // compressible, but not for nothing
		message[i] = "etaoin shrdlu"[i*i%13]
	}
	for n := uint64(1); ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		binary.BigEndian.PutUint64(message, n)
		if c.Write(ctx, conn.Binary, message) != nil {
			return
		}
		count.Add(1)
	}
}

// heard checks a message, of which the next must have this number.
func (p *pair) heard(d *diary, m conn.Message, next *uint64) error {
	if n := binary.BigEndian.Uint64(m.Payload); n != *next || len(m.Payload) != max(p.message, 8) {
		p.t.Errorf("message %d of %d bytes, want %d", n, len(m.Payload), *next)
	}
	*next++
	d.note("")
	return nil
}

// longestGap returns the longest time between two moments.
func (d *diary) longestGap() (gap time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 1; i < len(d.list); i++ {
		gap = max(gap, d.list[i].at.Sub(d.list[i-1].at))
	}
	return gap
}

// ordinary is a link as most are.
var ordinary = conditions{delay: 20 * time.Millisecond}

// What the documentation of conn.Limits and conn.Redialer says, and TCP_USER_TIMEOUT.
const (
	pingAfter   = 25 * time.Second
	cutAfter    = pingAfter + 20*time.Second
	userTimeout = 30 * time.Second
	backWithin  = 20*time.Second + 7500*time.Millisecond // DialTimeout, and MaxDelay with its jitter
	atOnce      = 1500 * time.Millisecond                // FirstDelay with its jitter
)

// A peer that is gone is noticed on either side: by the kernel after 30 s if it acknowledges
// nothing of what was sent, otherwise by the keepalive 45 s after the last byte. The client
// comes back when there is a way.
func TestPeerGone(t *testing.T) {
	t.Parallel()
	const outage = 90 * time.Second
	type way struct {
		name   string
		fault  func(w *world)
		repair func(w *world) // nil: new connections work at once
	}
	down := way{"link down for 90 s", func(w *world) { w.down(true) }, func(w *world) { w.down(false) }}
	forgets := way{"NAT forgets", func(w *world) { w.forget() }, nil}
	deaf := way{"client to server lost", func(w *world) { w.set(toServer, func(c *conditions) { c.down = true }) }, down.repair}
	mute := way{"server to client lost", func(w *world) { w.set(toClient, func(c *conditions) { c.down = true }) }, down.repair}
	for _, tt := range []struct {
		way            way
		client, server time.Duration // how often they send
		// When they notice, after the fault; 0: 45 s after the last byte, but at most 45 s.
		clientAfter, serverAfter time.Duration
	}{
		{down, 0, 0, 0, 0},
		{down, time.Second, 0, userTimeout, 0},
		{down, 0, time.Second, 0, userTimeout},
		{forgets, 0, 0, 0, 0},
		{forgets, 0, time.Second, 0, userTimeout},
		{deaf, 0, time.Second, 0, userTimeout},
		{mute, 0, time.Second, 0, userTimeout},
	} {
		for _, shell := range shells {
			sends := "nobody"
			switch {
			case tt.client > 0:
				sends = "client"
			case tt.server > 0:
				sends = "server"
			}
			t.Run(fmt.Sprintf("%s, %s sends, %s", tt.way.name, sends, shell.name), func(t *testing.T) {
				long(t)
				p := &pair{t: t, w: newWorld(t, 1500, ordinary), clientSends: tt.client, srvSends: tt.server}
				p.start(shell.loop())
				time.Sleep(5 * time.Second)
				fault := time.Now()
				tt.way.fault(p.w)
				repaired := fault
				done := make(chan struct{})
				go func() {
					defer close(done)
					if tt.way.repair != nil {
						time.Sleep(outage)
						repaired = time.Now()
						tt.way.repair(p.w)
					}
				}()
				client := p.clientEnded.await(t, 0, cutAfter+2*late)
				server := p.srvEnded.await(t, 0, cutAfter+2*late)
				<-done
				back := p.opened.await(t, 1, backWithin+cutAfter+2*late)
				returned, most := back.at.Sub(repaired), backWithin
				if tt.way.repair == nil {
					returned, most = back.at.Sub(client.at), atOnce
				}
				for _, side := range []struct {
					name  string
					ended moment
					after time.Duration
				}{{"client", client, tt.clientAfter}, {"server", server, tt.serverAfter}} {
					least, most := side.after-time.Second, side.after
					if side.after == 0 {
						least, most = pingAfter, cutAfter
					}
					between(t, "the "+side.name+" notices", side.ended.at.Sub(fault), least, most)
				}
				between(t, "the client is back", returned, 0, most)
				if p.opened.count() != 2 {
					t.Errorf("the client has opened %d connections", p.opened.count())
				}
				row(t, tt.way.name, sends, shell.name, seconds(server.at.Sub(fault))+": "+server.what, seconds(client.at.Sub(fault))+": "+client.what, seconds(returned))
			})
		}
	}
}

// An outage of 5 s is noticed by nobody: what was sent meanwhile arrives, in order.
func TestShortOutage(t *testing.T) {
	t.Parallel()
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			long(t)
			const every = 50 * time.Millisecond
			p := &pair{t: t, w: newWorld(t, 1500, ordinary), clientSends: every, srvSends: every}
			p.start(shell.loop())
			time.Sleep(3 * time.Second)
			p.w.down(true)
			time.Sleep(5 * time.Second)
			p.w.down(false)
			sent, back := p.cliWrote.Load(), p.serverWrote.Load()
			p.srvHeard.await(t, int(sent), 30*time.Second)
			p.clientHeard.await(t, int(back), 30*time.Second)
			if p.opened.count() != 1 || p.served.count() != 1 || p.clientEnded.count()+p.srvEnded.count() != 0 {
				t.Errorf("the client has had %d connections, the server %d", p.opened.count(), p.served.count())
			}
			gap := max(p.srvHeard.longestGap(), p.clientHeard.longestGap())
			between(t, "messages come again", gap, 5*time.Second, 12*time.Second)
			row(t, "link down for 5 s", "both", shell.name, "never", "never", "messages come again "+seconds(gap)+" after the last, all of them")
		})
	}
}
