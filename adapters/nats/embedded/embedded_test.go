package embedded_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/socketio"
)

// Three nodes of which one is known to the others share rooms.
func TestThreeNodes(t *testing.T) {
	a := start(t, embedded.Options{})
	peers := []string{a.c.Addr().String()}
	b, c := start(t, embedded.Options{Peers: peers}), start(t, embedded.Options{Peers: peers})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, n := range []*node{a, b, c} {
		if err := n.c.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		n.knows(3)
	}
	x, y := b.dial("x"), c.dial("x")
	until(t, "two sockets", func() bool {
		list, err := a.io.In("x").FetchSockets(ctx)
		return err == nil && len(list) == 2
	})
	go func() {
		for i := range 2000 {
			if err := a.io.To("x").Emit("n", i); err != nil {
				t.Error(err)
			}
		}
	}()
	// The answers of the nodes have come after word of their rooms.
	for _, got := range []<-chan int{x, y} {
		for i := range 2000 {
			if n := receive(t, got); n != i {
				t.Fatalf("got %d, want %d", n, i)
			}
		}
	}
	c.stop()
	a.knows(2)
	b.knows(2)
}

func receive(t testing.TB, got <-chan int) int {
	t.Helper()
	select {
	case n := <-got:
		return n
	case <-time.After(patience):
		t.Fatal("nothing more came")
		return 0
	}
}

// child is another process with a node of a cluster.
func child(peer string) {
	c, err := embedded.Start(context.Background(), &embedded.Options{Peers: []string{peer}, Adapter: natsadapter.Options{Logger: quiet()}})
	if err != nil {
		panic(err)
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter, Logger: quiet()})
	if err != nil {
		panic(err)
	}
	io.OnServerEvent("mute", func(*socketio.ServerEvent) {})
	_ = io.Emit("here")
	select {}
}

// A node that is killed is noticed at once, also by a request that waits for it. On a busy
// machine that may take a while now and then, but not each time.
func TestKilled(t *testing.T) {
	a := start(t, embedded.Options{})
	a.knows(1)
	soonest := patience
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PARLEY_TEST_PEER="+a.c.Addr().String())
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		a.knows(2)
		ended := make(chan error, 1)
		published := a.c.Stats().Published
		go func() {
			_, err := a.io.ServerSideCall(t.Context(), "mute")
			ended <- err
		}()
		until(t, "the request is published", func() bool { return a.c.Stats().Published > published })
		killed := time.Now()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		a.knows(1)
		noticed := time.Since(killed)
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "left the cluster") {
			t.Errorf("the request: %v", err)
		}
		cmd.Wait()
		t.Logf("noticed after %v", noticed)
		soonest = min(soonest, noticed)
	}
	if soonest > 2*time.Second { // a silent node is asked for only after 2.5 s
		t.Errorf("noticed after %v at best", soonest)
	}
}

// Nodes that can't reach each other go on, and are together again afterwards by
// themselves.
func TestPartition(t *testing.T) {
	a := start(t, embedded.Options{})
	way := newProxy(t, a.c.Addr().String())
	b := start(t, embedded.Options{Peers: []string{way.listener.Addr().String()}})
	here, there := a.dial("x"), b.dial("x")
	next := 0
	for round := range 3 {
		a.knows(2)
		b.knows(2)
		next = together(t, a, here, there, next)
		gaps := a.c.Stats().Gaps
		way.set(true)
		a.knows(1)
		b.knows(1)
		for range 100 {
			if err := a.io.To("x").Emit("n", next); err != nil {
				t.Error(err)
			}
			if n := receive(t, here); n != next {
				t.Fatalf("round %d: got %d, want %d", round, n, next)
			}
			next++
		}
		if a.c.Stats().Gaps == gaps {
			t.Error("the gap is not counted")
		}
		way.set(false)
	}
	a.knows(2)
	together(t, a, here, there, next)
}

// together emits numbers from a until both have got one, and then 100 that both must get
// in order. It returns the next number.
func together(t *testing.T, a *node, here, there <-chan int, next int) int {
	t.Helper()
	until(t, "an event arrives", func() bool {
		if err := a.io.To("x").Emit("n", next); err != nil {
			t.Error(err)
		}
		if n := receive(t, here); n != next {
			t.Fatalf("here: got %d, want %d", n, next)
		}
		next++
		return len(there) > 0
	})
	for range 100 {
		if err := a.io.To("x").Emit("n", next); err != nil {
			t.Error(err)
		}
		next++
	}
	last := receive(t, there)
	for last < next-1 {
		n := receive(t, there)
		if n != last+1 {
			t.Fatalf("there: got %d after %d", n, last)
		}
		last = n
	}
	for range 100 {
		receive(t, here)
	}
	return next
}

func TestStartRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		o    embedded.Options
	}{
		{"no port", t.Context(), embedded.Options{Listen: "127.0.0.1"}},
		{"port too large", t.Context(), embedded.Options{Listen: "127.0.0.1:65536"}},
		{"no secret", t.Context(), embedded.Options{Listen: ":0"}},
		{"peer", t.Context(), embedded.Options{Peers: []string{"there"}}},
		{"advertised", t.Context(), embedded.Options{Advertise: "there"}},
		{"port in use", t.Context(), embedded.Options{Listen: busy.Addr().String()}},
		{"ctx has ended", over, embedded.Options{}},
	} {
		tt.o.Adapter.Logger = quiet()
		if c, err := embedded.Start(tt.ctx, &tt.o); err == nil {
			c.Close(t.Context())
			t.Errorf("%s: started", tt.name)
		} else if s := fmt.Sprint(err); tt.name == "port in use" && !strings.Contains(s, "in use") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Nodes with another secret are not let in.
func TestSecret(t *testing.T) {
	a := start(t, embedded.Options{Listen: "127.0.0.1:0", Secret: "one: /@"})
	peers := []string{a.c.Addr().String()}
	b := start(t, embedded.Options{Peers: peers, Secret: "two"})
	c := start(t, embedded.Options{Peers: peers, Secret: "one: /@"})
	a.knows(2)
	c.knows(2)
	b.knows(1)
	if s := b.c.Stats(); s.Received > 0 || s.Nodes > 0 {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.c.Ready(ctx); err != context.DeadlineExceeded {
		t.Errorf("Ready: %v", err)
	}
}
