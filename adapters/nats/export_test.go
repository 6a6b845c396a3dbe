package natsadapter

import (
	"runtime"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A session that is on its way is awaited for longer than by default, here and in the
// processes beside a test.
func init() { takeTime, lateTime = 20*time.Second, 5*time.Second }

// Rooms returns how many rooms are subscribed to, in all namespaces.
func (c *Broker) Rooms() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.subs) - 2*len(c.namespaces)
}

// Subscribe makes rooms of a namespace have members, as far as NATS is concerned.
func (c *Broker) Subscribe(rooms []string) {
	c.mu.RLock()
	for n := range c.namespaces {
		c.queue.change(n, rooms, nil, nil)
	}
	c.mu.RUnlock()
	for c.Rooms() < len(rooms) {
		runtime.Gosched()
	}
}

// Hold keeps the reader from handling anything until release is called.
func (c *Broker) Hold() (release func()) {
	c.mu.Lock()
	return c.mu.Unlock
}

// Located reports whether the position in the stream of events is known to a namespace.
func (c *Broker) Located(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for n := range c.namespaces {
		if n.node.Local().Name() == name && n.events != nil {
			return n.events.reached() > 0
		}
	}
	return false
}

// Log returns the log of a namespace.
func (c *Broker) Log(name string) socketio.Log {
	for _, l := range c.logging.logs() {
		if l.Local().Name() == name {
			return l
		}
	}
	return nil
}

// Sessions returns how many sessions of the root namespace this node keeps, and Flying how
// many of them are being written.
func (c *Broker) Sessions() int {
	s := &c.Log("/").(*eventLog).sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept)
}

func (c *Broker) Flying() int {
	s := &c.Log("/").(*eventLog).sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flying + len(s.dirty)
}

// Logs reports whether JetStream is there, and knows what is missing.
func (c *Broker) Logs() bool {
	return c.logging.state.Load() == ready && !c.Log("/").(*eventLog).lacks()
}

// Offset returns the offset of a position in the stream.
func Offset(sequence uint64) string { return place{sequence: sequence}.String() }
