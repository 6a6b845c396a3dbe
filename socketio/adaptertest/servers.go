package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/parleyws/parley/socketio"
)

// A hearing is what the handlers of a node's server events have heard, by the event's name.
type hearing struct {
	mu    sync.Mutex
	lines map[string][]string
}

// hear adds handlers to a node, for events of all names, which acknowledge them with their
// first argument and the name of the node.
func (n *node) hear(namespace string, events ...string) *hearing {
	h := &hearing{lines: make(map[string][]string)}
	for _, name := range events {
		n.io.Of(namespace).OnServerEvent(name, func(e *socketio.ServerEvent) {
			var args []any
			for i := range e.Len() {
				var arg any
				if err := e.Decode(i, &arg); err != nil {
					arg = err.Error()
				}
				args = append(args, arg)
			}
			h.mu.Lock()
			h.lines[name] = append(h.lines[name], line(name, args...))
			h.mu.Unlock()
			var first any
			if len(args) > 0 {
				first = args[0]
			}
			if err := e.Ack([]any{n.name, first}); err != nil {
				n.c.Errorf("%s: Ack: %v", n.name, err)
			}
		})
	}
	return h
}

func (h *hearing) heard(name string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines[name])
}

// fence waits until everything that was sent before must have come: by a call of an
// event that all nodes answer.
func (c *cluster) fence(event string) {
	c.Helper()
	for _, n := range c.nodes {
		ctx, cancel := c.ctx()
		answers, err := n.io.ServerSideCall(ctx, event, "fence")
		cancel()
		if err != nil || len(answers) != len(c.nodes)-1 {
			c.Fatalf("%s: ServerSideCall: %d answers, %v", n.name, len(answers), err)
		}
	}
}

// testServerSideEmit sends events to the other servers: once, in order, and not to itself.
func testServerSideEmit(c *cluster) {
	c.start(3)
	heard, elsewhere := make(map[*node]*hearing), make(map[*node]*hearing)
	for _, n := range c.nodes {
		heard[n] = n.hear("/", "event", "fence")
		elsewhere[n] = n.hear("/x", "event")
	}
	want := make(map[*node][]string)
	for name, args := range payloads {
		c.ok(c.nodes[0].io.ServerSideEmit("event", args...))
		c.ok(c.nodes[0].io.ServerSideEmit("nobody handles this", name))
		for _, n := range c.nodes[1:] {
			want[n] = append(want[n], line("event", args...))
		}
	}
	c.fence("fence")
	for _, n := range c.nodes {
		if got := heard[n].heard("event"); !slices.Equal(got, want[n]) {
			c.Errorf("%s has heard:\n%s", n.name, difference(got, want[n]))
		}
		if got := elsewhere[n].heard("event"); len(got) > 0 {
			c.Errorf("%s has heard in another namespace: %.1000q", n.name, got)
		}
	}
	messages := c.Messages / 2
	for i := range messages {
		for _, n := range c.nodes {
			c.ok(n.io.ServerSideEmit("event", n.name, i))
		}
	}
	c.fence("fence")
	for _, n := range c.nodes {
		got := heard[n].heard("event")[len(want[n]):]
		for _, from := range c.nodes {
			var own, want []string
			for i := range messages {
				if from != n {
					want = append(want, line("event", from.name, i))
				}
			}
			for _, l := range got {
				if prefix := line("event", from.name) + " "; len(l) > len(prefix) && l[:len(prefix)] == prefix {
					own = append(own, l)
				}
			}
			if !slices.Equal(own, want) {
				c.Errorf("%s has heard of %s:\n%s", n.name, from.name, difference(own, want))
			}
		}
	}
}

// testServerSideCall asks the other servers, each of which answers once.
func testServerSideCall(c *cluster) {
	c.start(3)
	for _, n := range c.nodes {
		n.hear("/", "question")
	}
	for _, n := range c.nodes {
		for name, args := range payloads {
			var first any
			if len(args) > 0 {
				first = args[0]
			}
			var want []any
			for _, o := range c.nodes {
				if o != n {
					want = append(want, []any{o.name, first})
				}
			}
			if got, want := c.ask(n, "question", args...), sorted(want); got != want {
				c.Errorf("%s asks with %s: answers %.500s, want %.500s", n.name, name, got, want)
			}
		}
	}
	var all sync.WaitGroup
	for _, n := range c.nodes {
		for i := range 20 {
			all.Go(func() {
				var want []any
				for _, o := range c.nodes {
					if o != n {
						want = append(want, []any{o.name, i})
					}
				}
				if got, want := c.ask(n, "question", i), sorted(want); got != want {
					c.Errorf("%s asks many questions at once: answers %s, want %s", n.name, got, want)
				}
			})
		}
	}
	all.Wait()
}

// ask is ServerSideCall, which has to succeed. It returns the answers sorted.
func (c *cluster) ask(n *node, event string, args ...any) string {
	ctx, cancel := c.ctx()
	defer cancel()
	answers, err := n.io.ServerSideCall(ctx, event, args...)
	if err != nil {
		c.Errorf("%s: ServerSideCall: %v", n.name, err)
	}
	return sorted(c.firsts(answers))
}

func (c *cluster) firsts(answers []*socketio.Args) (list []any) {
	for _, a := range answers {
		var v any
		if err := a.Decode(0, &v); err != nil {
			c.Errorf("%v", err)
		}
		list = append(list, v)
	}
	return list
}

// testServerSideUnanswered asks servers of which one has no handler, and one does not answer.
func testServerSideUnanswered(c *cluster) {
	c.start(3)
	c.nodes[1].hear("/", "known to one")
	c.nodes[1].hear("/", "kept by one")
	kept := make(chan *socketio.ServerEvent, 100) // more than are asked for, however slow all are
	c.nodes[2].io.OnServerEvent("kept by one", func(e *socketio.ServerEvent) { kept <- e })
	want := sorted([]any{[]any{c.nodes[1].name, 1}})
	for _, event := range []string{"known to one", "kept by one"} {
		// A time that is short is long enough if not all nodes are slow at once.
		eventually(c.T, c.patience, "the answer of the one that answers", func() error {
			ctx, cancel := context.WithTimeout(background, c.patience/20)
			defer cancel()
			answers, err := c.nodes[0].io.ServerSideCall(ctx, event, 1)
			if !isEnd(err) {
				c.Fatalf("%s: the error is %v", event, err)
			}
			if got := sorted(c.firsts(answers)); got != want {
				return fmt.Errorf("%s: answers %s, want %s", event, got, want)
			}
			return nil
		})
	}
	for {
		select {
		case e := <-kept:
			c.ok(e.Ack("too late"))
			continue
		default:
		}
		break
	}
	ctx, cancel := context.WithCancel(background)
	done := c.inBackground(func() {
		if _, err := c.nodes[0].io.ServerSideCall(ctx, "kept by one"); !isEnd(err) {
			c.Errorf("a call whose ctx has ended: %v", err)
		}
	})
	select {
	case <-kept:
	case <-c.Context().Done():
	}
	cancel()
	c.receive(done, "the end of ServerSideCall after that of its ctx")
}
