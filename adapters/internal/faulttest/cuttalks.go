package faulttest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A talk is a conversation. It is had a second time after the cut, and then must succeed.
type talk struct {
	name     string
	first    bool // the cut may come in the first connection already; otherwise it comes in the talk
	recovery bool // it is for servers with Recovery
	talk     func(ctx context.Context, p *pair) error
}

var talks = []talk{
	{"connect", true, false, func(context.Context, *pair) error { return nil }},
	{"publish", false, false, func(ctx context.Context, p *pair) error { return p.say(ctx, p.a, p.b.client, "room") }},
	{"publish many at once", false, false, func(ctx context.Context, p *pair) error { return p.burst(ctx, p.a, p.b) }},
	{"receive many at once", false, false, func(ctx context.Context, p *pair) error { return p.burst(ctx, p.b, p.a) }},
	{"receive", false, false, func(ctx context.Context, p *pair) error { return p.say(ctx, p.b, p.a.client, "room") }},
	{"ask clients", false, false, func(ctx context.Context, p *pair) error { return p.ask(ctx, p.a) }},
	{"answer for clients", false, false, func(ctx context.Context, p *pair) error { return p.ask(ctx, p.b) }},
	{"fetch sockets", false, false, func(ctx context.Context, p *pair) error { return fetch(ctx, p.a) }},
	{"have sockets fetched", false, false, func(ctx context.Context, p *pair) error { return fetch(ctx, p.b) }},
	{"server-side emit", false, false, func(ctx context.Context, p *pair) error { return p.tell(ctx, p.a, p.b) }},
	{"be told by a server", false, false, func(ctx context.Context, p *pair) error { return p.tell(ctx, p.b, p.a) }},
	{"server-side call", false, false, func(ctx context.Context, p *pair) error { return p.call(ctx, p.a) }},
	{"answer a server", false, false, func(ctx context.Context, p *pair) error { return p.call(ctx, p.b) }},
	{"join and leave elsewhere", false, false, func(ctx context.Context, p *pair) error { return p.move(ctx, p.a, p.b.client) }},
	{"be made to join and leave", false, false, func(ctx context.Context, p *pair) error { return p.move(ctx, p.b, p.a.client) }},
	{"rooms", false, false, rooms},
	{"disconnect elsewhere", false, false, func(ctx context.Context, p *pair) error { return p.expel(ctx, p.a, p.b) }},
	{"be disconnected", false, false, func(ctx context.Context, p *pair) error { return p.expel(ctx, p.b, p.a) }},
	{"come back", false, true, comeBack},
}

// word returns a word that was not said yet.
func (p *pair) word() string {
	p.turn++
	return fmt.Sprintf("word %d", p.turn)
}

var errWrong = errors.New("not what was sent")

// await waits for a word, and passes over earlier ones.
func await(ctx context.Context, from chan string, word string) error {
	for {
		select {
		case got := <-from:
			if got == word {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("%q has not come: %w", word, ctx.Err())
		}
	}
}

func (p *pair) say(ctx context.Context, from *station, to *person, room string) error {
	for range 3 {
		word := p.word()
		if err := from.io.To(room).Emit("say", word); err != nil {
			return err
		}
		if err := await(ctx, to.said, word); err != nil {
			return err
		}
	}
	return nil
}

// burst has a server emit so much that several events leave in one piece, of which a cut may leave some whole.
func (p *pair) burst(ctx context.Context, from, to *station) error {
	from.emit(10)
	return p.say(ctx, from, to.client, "room")
}

func (p *pair) ask(ctx context.Context, from *station) error {
	word := p.word()
	list, err := socketio.CallAll[string](ctx, from.io.To("room"), "ask", word)
	for _, got := range list {
		if got != word {
			p.faults.add("asked for %q, got %q", word, got)
		}
	}
	if err == nil && len(list) != 2 {
		err = fmt.Errorf("%d answers", len(list))
	}
	return err
}

func fetch(ctx context.Context, from *station) error {
	list, err := from.io.FetchSockets(ctx)
	if err == nil && len(list) != 2 {
		err = fmt.Errorf("%d sockets", len(list))
	}
	return err
}

func (p *pair) tell(ctx context.Context, from, to *station) error {
	word := p.word()
	if err := from.io.ServerSideEmit("hi", word); err != nil {
		return err
	}
	return await(ctx, to.said, word)
}

func (p *pair) call(ctx context.Context, from *station) error {
	word, got := p.word(), ""
	list, err := from.io.ServerSideCall(ctx, "hi", word)
	if err == nil && (len(list) != 1 || list[0].Decode(0, &got) != nil || got != word) {
		err = errWrong
	}
	return err
}

func (p *pair) move(ctx context.Context, from *station, to *person) error {
	room := p.word()
	if err := from.io.In("room").SocketsJoin(room); err != nil {
		return err
	}
	if err := p.say(ctx, from, to, room); err != nil {
		return err
	}
	if err := from.io.In("room").SocketsLeave(room); err != nil {
		return err
	}
	return p.say(ctx, from, to, "room")
}

// rooms has the client of a join rooms, which b emits to.
func rooms(ctx context.Context, p *pair) error {
	for range 3 {
		room, err := socketio.Call[string](ctx, p.a.client, "join", p.word())
		if err != nil {
			return err
		}
		if err := p.a.node.Ready(ctx); err != nil {
			return err
		}
		if err := p.say(ctx, p.b, p.a.client, room); err != nil {
			return err
		}
	}
	return nil
}

// expel disconnects a client of a server from another one.
func (p *pair) expel(ctx context.Context, from, to *station) error {
	x := p.dial(func() *station { return to })
	if x.Client == nil {
		return errWrong
	}
	defer func() {
		x.Close()
		<-x.Done()
	}()
	left := make(chan struct{}, 1)
	x.OnDisconnect(func(socketio.Reason, error) {
		select {
		case left <- struct{}{}:
		default:
		}
	})
	if err := from.io.In(x.ID()).DisconnectSockets(false); err != nil {
		return err
	}
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// comeBack has a client lose its server, and come back to the other one, several times.
func comeBack(ctx context.Context, p *pair) error {
	var at atomic.Pointer[station]
	at.Store(p.a)
	x := p.dial(at.Load)
	if x.Client == nil {
		return errWrong
	}
	defer func() {
		x.Close()
		<-x.Done()
	}()
	for _, next := range []*station{p.b, p.a, p.b} {
		if err := p.say(ctx, p.b, x, "room"); err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond) // what is written of its session has left
		at.Store(next)
		x.mu.Lock()
		for _, nc := range x.lines {
			nc.Close()
		}
		x.lines = nil
		x.mu.Unlock()
		select {
		case back := <-x.joined:
			if !back {
				return errors.New("the client is new")
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
