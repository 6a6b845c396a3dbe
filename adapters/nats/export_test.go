package natsadapter

import "runtime"

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
