package adaptertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/parleyws/parley/socketio"
)

// call is CallAll, which has to succeed. It returns the answers sorted.
func (c *cluster) call(to socketio.Endpoint, event string, args ...any) string {
	c.Helper()
	ctx, cancel := c.ctx()
	defer cancel()
	answers, err := socketio.CallAll[any](ctx, to, event, args...)
	if err != nil {
		c.Errorf("CallAll %s: %v", event, err)
	}
	return sorted(answers)
}

// sorted writes answers in one line, in an order that does not depend on theirs.
func sorted(answers []any) string {
	var list []string
	for _, a := range answers {
		list = append(list, string(appendValue(nil, a)))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// testCalls asks for acknowledgements: each node's clients answer, once.
func testCalls(c *cluster) {
	c.standard()
	id := c.client("b1").id
	for _, n := range c.nodes {
		for name, row := range map[string]struct {
			to   socketio.Endpoint
			gets func(*client) bool
		}{
			"all":        {n.io, everybody},
			"a room":     {n.io.To("A"), in("A")},
			"two rooms":  {n.io.To("A", "AB"), in("AB")},
			"all but":    {n.io.Except("A"), not(in("A"))},
			"a socket":   {n.io.To(id), in(id)},
			"empty room": {n.io.To("nobody"), in("nobody")},
			"nobody":     {n.io.To("A").Except("AB"), not(everybody)},
			"this node":  {n.io.Local(), func(cl *client) bool { return cl.node == n }},
			"from a0":    {c.client("a0").socket.Broadcast(), func(cl *client) bool { return cl.name != "a0" }},
		} {
			want := wants{}
			var answers []any
			for _, name := range c.names(row.gets) {
				answers = append(answers, name)
			}
			if got, want := c.call(row.to, "question", name, 1), sorted(answers); got != want {
				c.Errorf("%s asks %s: answers %s, want %s", n.name, name, got, want)
			}
			want.add(line("question", name, 1), c.names(row.gets)...)
			c.want(want)
		}
	}
	for name, args := range payloads {
		var want []any
		for _, cl := range c.clients {
			answer := args[:min(1, len(args))] // only the first argument is an answer
			cl.answers(func(e *socketio.Event) { e.Ack(answer...) })
			if len(answer) == 0 {
				answer = []any{nil}
			}
			want = append(want, answer...)
		}
		if got, want := c.call(c.nodes[2].io, name, args...), sorted(want); got != want {
			c.Errorf("%s: answers %.500s, want %.500s", name, got, want)
		}
	}
}

// testCallsUnanswered asks clients of which one does not answer, and then ends the ctx.
func testCallsUnanswered(c *cluster) {
	c.standard()
	silent := c.client("b2")
	asked := make(chan struct{}, 1)
	silent.answers(func(*socketio.Event) { asked <- struct{}{} })
	for _, n := range c.nodes {
		ctx, cancel := context.WithCancel(background)
		answered := make(chan struct{}, 10)
		for _, cl := range c.clients {
			if cl != silent {
				cl.answers(func(e *socketio.Event) { e.Ack(cl.name); answered <- struct{}{} })
			}
		}
		done := c.inBackground(func() {
			answers, err := socketio.CallAll[string](ctx, n.io, "question")
			if !isEnd(err) {
				c.Errorf("%s: one has not answered, and the error is %v", n.name, err)
			}
			if len(answers) > 5 || slices.Contains(answers, silent.name) {
				c.Errorf("%s: answers %q", n.name, answers)
			}
		})
		c.receive(asked, "the question")
		for range 5 {
			c.receive(answered, "an answer")
		}
		cancel()
		c.receive(done, "the end of CallAll after that of its ctx")
	}
	// The answers of the others are returned. A time that is short is long enough if not
	// all nodes are slow at once.
	for _, cl := range c.clients {
		if cl != silent {
			cl.answers(nil)
		}
	}
	eventually(c.T, c.patience, "all answers but one", func() error {
		answers, err := socketio.CallAll[string](background, c.nodes[0].io.Timeout(c.patience/20), "question")
		<-asked
		if !isEnd(err) {
			c.Fatalf("one has not answered, and the error is %v", err)
		}
		if len(answers) != 5 || slices.Contains(answers, silent.name) {
			return fmt.Errorf("the answers are %q", answers)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(background)
	cancel()
	done := c.inBackground(func() {
		if answers, err := socketio.CallAll[string](ctx, c.nodes[0].io, "question"); !isEnd(err) {
			c.Errorf("with a ctx that has ended: %q, %v", answers, err)
		}
	})
	c.receive(done, "the end of CallAll with a ctx that has ended")
}

// inBackground runs f on a goroutine of its own, where it may call Errorf. The test waits for it,
// unless it has failed by then: what an adapter waits for may never come.
func (c *cluster) inBackground(f func()) (done chan struct{}) {
	done, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		f()
		done <- struct{}{}
	}()
	c.Cleanup(func() {
		if !c.Failed() {
			<-ended
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.left = true
	})
	return done
}

// receive waits for something that should not take long.
func (c *cluster) receive(from <-chan struct{}, what string) {
	c.Helper()
	ctx, cancel := c.ctx()
	defer cancel()
	select {
	case <-from:
	case <-ctx.Done():
		c.Fatalf("waiting for %s", what)
	}
}

// testCallsAtOnce asks many questions at once: each gets its own answers.
func testCallsAtOnce(c *cluster) {
	c.standard()
	for _, cl := range c.clients {
		cl.answers(func(e *socketio.Event) {
			var question string
			if err := e.Decode(0, &question); err != nil {
				question = err.Error()
			}
			e.Ack(question + " " + cl.name)
		})
	}
	var all sync.WaitGroup
	for _, n := range c.nodes {
		for i := range 30 {
			all.Go(func() {
				question := fmt.Sprint(n.name, " ", i)
				var want []any
				for _, name := range c.names(in("A")) {
					want = append(want, question+" "+name)
				}
				if got, want := c.call(n.io.To("A"), "question", question), sorted(want); got != want {
					c.Errorf("answers %s, want %s", got, want)
				}
			})
		}
	}
	all.Wait()
}

// testCallsEnd shuts a node down that waits for answers of others, and one whose clients are
// asked.
func testCallsEnd(c *cluster) {
	c.standard()
	asked := make(chan struct{}, 10)
	for _, cl := range c.clients {
		cl.answers(func(*socketio.Event) { asked <- struct{}{} })
	}
	id := c.client("a1").id
	ctx, cancel := context.WithCancel(background)
	var done []chan struct{}
	for _, n := range []*node{c.nodes[0], c.nodes[2]} {
		done = append(done, c.inBackground(func() {
			if answers, err := socketio.CallAll[string](ctx, n.io.To(id), "question"); err == nil {
				c.Errorf("answers %q", answers)
			}
		}))
		c.receive(asked, "the question")
	}
	c.nodes[0].stop() // it asks
	c.nodes[0].stop() // it is asked
	cancel()
	for _, d := range done {
		c.receive(d, "the end of CallAll")
	}
}
