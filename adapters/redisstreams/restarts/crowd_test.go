package restarts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A crowd is all clients, and what they saw of the restarts.
type crowd struct {
	t       testing.TB
	members []*member
	stop    chan struct{} // closed: nobody says anything new
	talking sync.WaitGroup

	mu        sync.Mutex // of the fields below
	ends      map[string]int
	refused   map[string]int // attempts to come back that failed, by why
	unsure    map[string]int // errors of messages that were not acknowledged
	dials     []time.Time    // attempts to come back
	joins     []time.Time    // attempts that were successful
	recovered int
	fresh     int // came back, but not to what they had
}

// A member says numbered messages to its room and hears those of all in it.
type member struct {
	*socketio.Client
	who

	mu      sync.Mutex // of the fields below
	said    int
	unacked []int // of what it said
	heard   map[string]*heard
	fresh   bool // it came back once, but not to what it had
}

// heard is what a member has heard of one sender: all numbers up to last, but the missed.
type heard struct {
	last   int
	missed []int
}

// roomSize is how many clients hear each message.
const roomSize = 10

// modes are the transports of ten clients.
var modes = [roomSize][]string{{"polling"}, {"polling", "websocket"}}

func init() {
	for i := 2; i < roomSize; i++ {
		modes[i] = []string{"websocket"}
	}
}

// gather connects n clients, some at a time.
func gather(t testing.TB, url string, n int) *crowd {
	t.Helper()
	c := &crowd{
		t: t, stop: make(chan struct{}), members: make([]*member, n),
		ends: map[string]int{}, refused: map[string]int{}, unsure: map[string]int{},
	}
	var all sync.WaitGroup
	failed := make(chan error, n)
	some := make(chan struct{}, 50)
	for i := range n {
		some <- struct{}{}
		all.Go(func() {
			defer func() { <-some }()
			if err := c.join(url, i); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	t.Cleanup(c.leave)
	if len(failed) > 0 {
		t.Fatalf("%d clients can't connect: %v", len(failed), <-failed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joins, c.dials, c.fresh = nil, nil, 0
	for _, m := range c.members {
		m.fresh = false
	}
	return c
}

// join connects the i-th client, with all delays as they are by default.
func (c *crowd) join(url string, i int) error {
	m := &member{who: who{fmt.Sprint("client ", i), fmt.Sprint("room ", i/roomSize)}, heard: map[string]*heard{}}
	c.members[i] = m
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	m.Client, err = socketio.Dial(ctx, url, &socketio.DialOptions{
		Auth:   m.who,
		Engine: engineio.DialOptions{Transports: modes[i%roomSize]},
		Logger: slog.New(slog.DiscardHandler),
		Setup: func(client *socketio.Client) {
			socketio.On2(client, "said", func(_ context.Context, sender string, n int) error {
				c.hear(m, sender, n)
				return nil
			})
			client.OnConnect(func() { c.joined(m, client.Recovered()) })
			client.OnDisconnect(func(reason socketio.Reason, err error) { c.count(c.ends, ending(reason, err)) })
			client.OnReconnectAttempt(func(int) { c.dialed() })
			client.OnConnectError(func(err error) { c.count(c.refused, refusal(err)) })
		},
	})
	return err
}

func (c *crowd) leave() {
	for _, m := range c.members {
		if m != nil && m.Client != nil {
			m.Close()
		}
	}
	for _, m := range c.members {
		if m != nil && m.Client != nil {
			<-m.Done()
		}
	}
}

// The ways in which a client is told that its server shuts down. On long-polling a POST may
// be on its way when the session ends, and be answered before the GET.
const (
	told1001    = "WebSocket: Close frame with 1001"
	toldPolling = "long-polling: close packet"
	toldByPOST  = "long-polling: a POST came too late, 400"
)

// ending says how a client was told.
func ending(reason socketio.Reason, err error) string {
	if closed, ok := errors.AsType[*conn.CloseError](err); ok && closed.Code == 1001 {
		return told1001
	}
	if end, ok := errors.AsType[*engineio.EndError](err); ok && end.Err.Error() == "closed by the server" {
		return toldPolling
	}
	if refused, ok := errors.AsType[*engineio.ResponseError](err); ok && refused.Method == "POST" && refused.Status == 400 {
		return toldByPOST
	}
	return fmt.Sprintf("%v, %v", reason, err)
}

// refusal says why an attempt to come back has failed.
func refusal(err error) string {
	if refused, ok := errors.AsType[*engineio.ResponseError](err); ok {
		return fmt.Sprintf("%d %s", refused.Status, http.StatusText(refused.Status))
	}
	return err.Error()
}

func (c *crowd) count(in map[string]int, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in[what]++
}

func (c *crowd) dialed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dials = append(c.dials, time.Now())
}

func (c *crowd) joined(m *member, recovered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joins = append(c.joins, time.Now())
	if recovered {
		c.recovered++
	} else {
		c.fresh++
		m.fresh = true
	}
}

// hear notes a message, which must not have come before.
func (c *crowd) hear(m *member, sender string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.heard[sender]
	if h == nil {
		h = new(heard)
		m.heard[sender] = h
	}
	if n <= h.last {
		c.t.Errorf("%s heard %d of %s after %d", m.Name, n, sender, h.last)
		return
	}
	for missed := h.last + 1; missed < n; missed++ {
		h.missed = append(h.missed, missed)
	}
	h.last = n
}

// talk has each client say something once in every pause, and waits for no answer longer than
// socketio.Call does by default.
func (c *crowd) talk(pause time.Duration) {
	for _, m := range c.members {
		c.talking.Go(func() {
			next := time.NewTimer(rand.N(pause))
			defer next.Stop()
			for {
				select {
				case <-c.stop:
					return
				case <-next.C:
				}
				c.say(m)
				next.Reset(pause)
			}
		})
	}
}

func (c *crowd) say(m *member) {
	m.mu.Lock()
	m.said++
	n := m.said
	m.mu.Unlock()
	answer, err := socketio.Call[int](context.Background(), m, "say", n)
	if err == nil && answer != n {
		c.t.Errorf("%s got the acknowledgement of %d for %d", m.Name, answer, n)
	}
	if err != nil {
		m.mu.Lock()
		m.unacked = append(m.unacked, n)
		m.mu.Unlock()
		c.count(c.unsure, err.Error())
	}
}

// hush ends the talk, and waits until everybody has heard the last message that was
// acknowledged, of everybody in its room.
func (c *crowd) hush() {
	c.t.Helper()
	close(c.stop)
	c.talking.Wait()
	until(c.t, "everybody to hear the last message", func() bool {
		return !slices.ContainsFunc(c.members, func(m *member) bool {
			return slices.ContainsFunc(c.room(m), func(sender *member) bool { return m.last(sender.Name) < sender.lastAcked() })
		})
	})
}

// room returns all members of m's room.
func (c *crowd) room(m *member) []*member {
	i := slices.Index(c.members, m) / roomSize * roomSize
	return c.members[i:min(i+roomSize, len(c.members))]
}

func (m *member) last(sender string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.heard[sender]; h != nil {
		return h.last
	}
	return 0
}

func (m *member) lastAcked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.said
	for n > 0 && slices.Contains(m.unacked, n) {
		n--
	}
	return n
}

// A balance is what became of all messages.
type balance struct {
	acked, unacked int
	heard          int // deliveries
	unackedHeard   int // of them of messages without an acknowledgement
}

// judge returns the balance. Each message that was acknowledged must have been heard by all
// of its room, but for those that were new meanwhile: what was said before they joined is
// not for them.
func (c *crowd) judge() (b balance) {
	c.t.Helper()
	for _, sender := range c.members {
		b.acked += sender.said - len(sender.unacked)
		b.unacked += len(sender.unacked)
		for _, m := range c.room(sender) {
			h := m.heard[sender.Name]
			if h == nil {
				h = new(heard)
			}
			b.heard += h.last - len(h.missed)
			for _, n := range h.missed {
				if !slices.Contains(sender.unacked, n) && !m.fresh {
					c.t.Errorf("%s has not heard %d of %s, which was acknowledged", m.Name, n, sender.Name)
				}
			}
			for _, n := range sender.unacked {
				if n <= h.last && !slices.Contains(h.missed, n) {
					b.unackedHeard++
				}
			}
		}
	}
	return b
}

// away returns how many clients are not connected.
func (c *crowd) away() (n int) {
	for _, m := range c.members {
		if !m.Connected() {
			n++
		}
	}
	return n
}
