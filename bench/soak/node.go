package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/parleyws/parley/bench/proc"
)

// A node is a process of Node with JavaScript clients of Socket.IO. Nobody kills them. A nil
// *node is none.
type node struct {
	process *proc.Process
	room    *room
	clients int
}

// nodeClients is how many clients there are on Node.
const nodeClients = 36

// startNode starts Node with the clients of interop/js, or says why it can't.
func startNode() (*node, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return nil, err
	}
	packages, err := filepath.Abs("../interop/js")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(packages, "node_modules")); err != nil {
		return nil, fmt.Errorf("run npm ci in interop/js: %w", err)
	}
	var version string
	p, err := proc.Start(&version, "node", "soak/clients.mjs", packages)
	if err != nil {
		return nil, err
	}
	fmt.Println("JavaScript clients: socket.io-client on Node", version)
	return &node{process: p, clients: nodeClients}, nil
}

// connect connects the clients, which then send until they are drained.
func (n *node) connect(address string) error {
	return n.process.Call("connect", map[string]any{"url": "http://" + address, "clients": n.clients, "room": n.room.name}, nil)
}

// A nodeTally is what the clients on Node have got.
type nodeTally struct {
	Faults
	Echoes, Casts int
	Wrong         []string
}

// drain counts what has not come for the clients as lost.
func (n *node) drain(s *soak) {
	if n == nil {
		return
	}
	var t nodeTally
	if err := n.process.Call("drain", map[string]any{"published": n.room.published.Load()}, &t); err != nil {
		s.tally.wrong("Node: %v", err)
		return
	}
	s.tally.faults(false, t.Faults)
	for _, w := range t.Wrong {
		s.tally.wrong("Node: %s", w)
	}
	s.print("Node: %d clients got %d echoes and %d messages to their room; %+v", n.clients, t.Echoes, t.Casts, t.Faults)
}

func (n *node) stop() {
	if n != nil {
		n.process.Stop()
	}
}
