package capacity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// near reports whether two numbers differ by less than a part of the second one.
func near(got, want, part float64) bool { return math.Abs(got-want) <= part*math.Abs(want) }

// The simulation agrees with the formula.
func TestReached(t *testing.T) {
	for _, nodes := range []int{1, 2, 3, 20, 100} {
		for _, room := range []int{1, 2, 10, 50, 500} {
			f := Fleet{Nodes: nodes, Clients: 1000, Room: room, Rate: 1}
			got := f.Simulate(rand.New(rand.NewPCG(1, 2)), 4000)
			if !near(got.Reached, f.Reached(), 0.02) {
				t.Errorf("rooms of %d on %d nodes: simulated %v, formula %v", room, nodes, got.Reached, f.Reached())
			}
			if got.Busiest < 1 || got.Busiest > 1.5 {
				t.Errorf("rooms of %d on %d nodes: the busiest has %v times the average", room, nodes, got.Busiest)
			}
		}
	}
	if got := (Fleet{Nodes: 20, Room: 1}).Reached(); !near(got, 1, 1e-12) {
		t.Errorf("a room of one is on %v nodes", got)
	}
}

// Loads that can be reckoned by head: two nodes with a member each, 1,000 events a second.
func TestLoad(t *testing.T) {
	f, traffic := Fleet{Nodes: 2, Clients: 1000, Room: 2, Rate: 1}, Traffic{Reached: 2}
	w := Way{Servers: 1, Publish: 10, Deliver: 5, Emit: 20, Receive: 30, Ignore: 4, Bytes: 100}
	clients := FromClient + ToClient
	for _, tt := range []struct {
		name string
		set  func(*Way)
		want Load
	}{
		// The broker has 10+2*5 us for each, a node 20+30+4: its own event comes back.
		{"exact", func(*Way) {}, Load{0.020, 200_000, 0.5e-3 * (54 + clients), 100_000, 100_000}},
		{"all", func(w *Way) { w.All = true }, Load{0.020, 200_000, 0.5e-3 * (54 + clients), 100_000, 100_000}},
		{"two servers", func(w *Way) { w.Servers = 2 }, Load{0.010, 100_000, 0.5e-3 * (54 + clients), 100_000, 100_000}},
		{"no echo", func(w *Way) { w.NoEcho = true }, Load{0.015, 100_000, 0.5e-3 * (50 + clients), 50_000, 100_000}},
		// The servers have 10+5 us, and the other node's 10+5 more.
		{"in nodes", func(w *Way) { w.NoEcho, w.InNodes = true, true }, Load{0, 0, 0.5e-3 * (80 + clients), 50_000, 150_000}},
	} {
		w := w
		tt.set(&w)
		got := w.Load(f, traffic)
		for i, pair := range [][2]float64{
			{got.Broker, tt.want.Broker}, {got.BrokerSends, tt.want.BrokerSends}, {got.Node, tt.want.Node},
			{got.NodeReads, tt.want.NodeReads}, {got.NodeSends, tt.want.NodeSends},
		} {
			if !near(pair[0], pair[1], 1e-9) {
				t.Errorf("%s: field %d: %v, want %v", tt.name, i, pair[0], pair[1])
			}
		}
	}
	w.All = true
	if got := w.Load(Fleet{Nodes: 10, Clients: 1000, Room: 2, Rate: 1}, traffic); !near(got.Broker, 0.060, 1e-9) {
		t.Errorf("ten nodes that read all: %v", got.Broker)
	}
}

// What breaks first.
func TestMost(t *testing.T) {
	f, traffic := Fleet{Nodes: 2, Clients: 1000, Room: 2, Rate: 1}, Traffic{Reached: 2}
	m := Machine{Processors: 4, Bytes: 1e9, Busy: 0.5}
	w := Way{Servers: 1, OneThread: true, Publish: 100, Deliver: 0}
	for _, tt := range []struct {
		name string
		set  func(*Way)
		most float64
		full string
	}{
		{"one thread", func(*Way) {}, 5000, "broker's processor"},
		{"four processors", func(w *Way) { w.OneThread = false }, 20_000, "broker's processor"},
		{"long events", func(w *Way) { w.Bytes = 1e6 }, 250, "broker's network"},
		{"dear nodes", func(w *Way) { w.Emit = 10_000 - FromClient - ToClient }, 400, "nodes' processors"},
		{"the nodes' network", func(w *Way) { w.InNodes, w.Bytes = true, 1e6 }, 1e9 / (2e6 + ClientBytes), "nodes' network"},
	} {
		w := w
		tt.set(&w)
		if most, full := w.Most(f, traffic, m); !near(most, tt.most, 1e-6) || full != tt.full {
			t.Errorf("%s: %v by the %s, want %v by the %s", tt.name, most, full, tt.most, tt.full)
		}
	}
}

// Publish and Deliver come from the figures of 1 node and of 100. That of 10 nodes checks that
// they may be put on a line.
func TestWays(t *testing.T) {
	measured := map[string][3]float64{ // with 1, 10 and 100 nodes
		"redis":                 {1.92, 4.78, 29.1},
		"redis, Pattern":        {1.76, 4.95, 36.2},
		"NewSharded, 3 masters": {1.99, 4.19, 28.6},
		"redisstreams":          {6.63, 22.5, 180},
		"nats":                  {2.69, 8.64, 73.6},
		"nats/embedded":         {2.69, 8.64, 73.6},
	}
	for _, w := range Ways {
		for i, nodes := range []float64{1, 10, 100} {
			if got, want := w.Publish+nodes*w.Deliver, measured[w.Name][i]; !near(got, want, 0.12) {
				t.Errorf("%s: %.2f us with %.0f nodes, measured are %.2f", w.Name, got, nodes, want)
			}
		}
	}
}
