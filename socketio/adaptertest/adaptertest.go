// Package adaptertest has tests for authors of adapters: what a socketio.Adapter must do,
// tried with servers and clients of this module that are connected in memory.
//
//	func TestAdapter(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Suite{
//			Cluster: func(t *testing.T) func() adaptertest.Factory {
//				prefix := rand.Text() // clusters must not hear each other
//				return func() adaptertest.Factory {
//					a := myadapter.New(client, &myadapter.Options{Prefix: prefix})
//					t.Cleanup(func() { a.Close(context.Background()) })
//					return a.Adapter
//				}
//			},
//		})
//	}
//
// The tests wait for conditions, up to 15 s for each, and never for a time that should
// suffice. What a broker does when it fails is not tried here.
package adaptertest

import (
	"cmp"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A Factory makes the adapters of a node: it is what socketio.Options.Adapter takes.
type Factory = func(*socketio.Local) (socketio.Adapter, error)

// A Suite says what is tested.
type Suite struct {
	// Cluster is called once for each test. The function that it returns is called once for
	// each node, also for those that come later, and returns the node's Factory. Nodes
	// of one call of Cluster hear each other, and no others. What has to be ended is ended by
	// t.Cleanup; the servers have been shut down by then. Both functions are called by the
	// goroutine of the test.
	Cluster func(t *testing.T) (node func() Factory)
	// NoRooms says that Adapter.Rooms returns errors.ErrUnsupported.
	NoRooms bool
	// IsOffset, if it is set, gives the servers Options.Recovery, for an adapter that is a
	// socketio.Log. It reports whether a string is an offset of the adapter.
	IsOffset func(string) bool
	// Messages is how many events each node sends to each room in the test of order.
	// Default 1,000, or 100 with -short.
	Messages int

	patience time.Duration // how long to wait for a condition; 0 is the default
}

// tests are all tests, by name.
var tests = []struct {
	name string
	run  func(c *cluster)
}{
	{"Targets", testTargets},
	{"Senders", testSenders},
	{"RoomNames", testRoomNames},
	{"Payloads", testPayloads},
	{"BigMessages", testBigMessages},
	{"Volatile", testVolatile},
	{"Compress", testCompress},
	{"Order", testOrder},
	{"Calls", testCalls},
	{"CallsUnanswered", testCallsUnanswered},
	{"CallsAtOnce", testCallsAtOnce},
	{"CallsEnd", testCallsEnd},
	{"Join", testJoin},
	{"JoinThenEmit", testJoinThenEmit},
	{"RoomsComeAndGo", testRoomsComeAndGo},
	{"Disconnect", testDisconnect},
	{"RemoteSocket", testRemoteSocket},
	{"Rooms", testRooms},
	{"Fetch", testFetch},
	{"FetchMuch", testFetchMuch},
	{"ServerSideEmit", testServerSideEmit},
	{"ServerSideCall", testServerSideCall},
	{"ServerSideUnanswered", testServerSideUnanswered},
	{"Namespaces", testNamespaces},
	{"NamespacesComeAndGo", testNamespacesComeAndGo},
	{"OneNode", testOneNode},
	{"NodeLeaves", testNodeLeaves},
	{"NodeComes", testNodeComes},
	{"Flush", testFlush},
	{"Closed", testClosed},
	{"AllAtOnce", testAllAtOnce},
}

// Run runs the tests, one after the other. Each of them makes a cluster, of three nodes in
// most. After each it waits until there are as few goroutines as before, so nothing else
// may be started or ended meanwhile.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if s.Cluster == nil {
		t.Fatal("adaptertest: Suite.Cluster is nil")
	}
	messages := 1000
	if testing.Short() {
		messages = 100
	}
	s.Messages = cmp.Or(s.Messages, messages)
	s.patience = cmp.Or(s.patience, 15*time.Second)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := goroutines()
			t.Run("cluster", func(t *testing.T) { test.run(newCluster(t, s)) })
			if !t.Failed() && !t.Skipped() {
				wantNoMore(t, before, s.patience)
			}
		})
	}
}
