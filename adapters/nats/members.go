package natsadapter

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// The name of a node in a namespace begins with its link, the name of the node's
// connection. Nodes say on the namespace's subject that they have come and gone, and by
// heartbeats of their links that they are there. If a link is silent the NATS server is
// asked: a message with a reply subject that nobody hears is answered by the server
// itself, "no responders", as soon as it knows that the link has ended.
//
// A node whose events go without JetStream, or were not stored, says so by its heartbeats
// until that is in the stream: meanwhile no client comes back anywhere. If it goes before, the
// others say it in its place.
const (
	linkLength = 16     // of a link's name, in bytes
	maxNodes   = 10_000 // of a namespace, and of all of them together

	tick       = time.Second             // between heartbeats
	silentTime = 2500 * time.Millisecond // after which a silent link is asked for
	goneTime   = 10 * time.Second        // after which it is forgotten without an answer
	settleTime = 100 * time.Millisecond  // that other nodes get to answer a first Hello
)

// A member is the link of another node.
type member struct {
	heard time.Time
	lacks bool // events of it are missing in the stream
}

// lackMark follows the link in the heartbeat of a node whose events are missing.
const lackMark = "!"

// isUID reports whether a string can be the name of a node in a namespace.
func isUID(uid string) bool {
	if len(uid) <= linkLength || len(uid) > maxUID {
		return false
	}
	for i := range len(uid) {
		if c := uid[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// met takes note of a node that has a namespace. It returns false if there are too many,
// or if that is no node's name.
func (c *Broker) met(n *namespace, uid string) bool {
	c.mu.RLock()
	_, known := n.peers[uid]
	c.mu.RUnlock()
	if known {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isUID(uid) || len(n.peers) >= maxNodes {
		return false
	}
	link := uid[:linkLength]
	if c.members[link] == nil {
		if len(c.members) >= maxNodes {
			return false
		}
		c.members[link] = &member{heard: time.Now()}
	}
	n.peers[uid] = struct{}{}
	return true
}

// forget takes note of a node that has left a namespace.
func (c *Broker) forget(n *namespace, uid string) {
	c.mu.Lock()
	delete(n.peers, uid)
	c.mu.Unlock()
	n.node.NodeGone(uid)
}

// lacking reports whether events of any node are missing of which the stream does not say so.
func (c *Broker) lacking() bool {
	if c.logging.lacking() {
		return true
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, m := range c.members {
		if m.lacks {
			return true
		}
	}
	return false
}

// heartbeat takes note of the heartbeat of a link. One that is new, or has come back, is
// asked for its namespaces. One that is heard for the first time on this connection hears
// this node too.
func (c *Broker) heartbeat(text string) {
	link, lacks := strings.CutSuffix(text, lackMark)
	if !isUID(link+"0") || len(link) != linkLength {
		c.counters.refused.Add(1)
		return
	}
	c.mu.Lock()
	m := c.members[link]
	fresh := m == nil && len(c.members) < maxNodes
	if fresh {
		m = new(member)
		c.members[link] = m
	}
	back := m != nil && m.heard.Before(c.since)
	if m != nil {
		m.heard, m.lacks = time.Now(), lacks
	}
	c.mu.Unlock()
	if lacks && c.logging != nil {
		for _, l := range c.logging.logs() {
			l.spoil()
		}
	}
	if fresh {
		c.greet()
	} else if back {
		c.pulse()
	}
}

// pulse makes the writer send a heartbeat.
func (c *Broker) pulse() {
	c.beating.Store(true)
	c.queue.stir()
}

// lostLink forgets a link, and all nodes of its in all namespaces.
func (c *Broker) lostLink(link string) {
	type gone struct {
		n   *namespace
		uid string
	}
	var list []gone
	c.mu.RLock()
	m := c.members[link]
	lacks := m != nil && m.lacks
	c.mu.RUnlock()
	if lacks && c.logging != nil { // first: until it is forgotten it lacks
		for _, l := range c.logging.logs() {
			l.lack()
		}
	}
	c.mu.Lock()
	delete(c.members, link)
	for n := range c.namespaces {
		for uid := range n.peers {
			if uid[:linkLength] == link {
				delete(n.peers, uid)
				list = append(list, gone{n, uid})
			}
		}
	}
	c.mu.Unlock()
	for _, g := range list {
		g.n.node.NodeGone(g.uid)
	}
	if m != nil {
		c.o.Logger.Info("socket.io: a node has gone", "link", link)
	}
}

// beat sends the heartbeat, and asks for links that have been silent, or for all of them.
// Called by the writer.
func (c *Broker) beat(all bool) {
	heartbeat := c.link
	lacks := c.logging.lacking()
	if lacks {
		heartbeat += lackMark
	}
	c.saidLacks = lacks
	if c.nc.Publish(c.subjects.links(), []byte(heartbeat)) != nil {
		c.saidLacks, all = false, false // there is no connection to ask
	}
	now := time.Now()
	var ask, gone []string
	c.mu.RLock()
	for link, m := range c.members {
		switch silent := min(now.Sub(m.heard), now.Sub(c.since)); { // before there was a connection nobody could be heard
		case silent > goneTime:
			gone = append(gone, link)
		case all || silent > silentTime:
			ask = append(ask, link)
		}
	}
	c.mu.RUnlock()
	for _, link := range gone {
		c.lostLink(link)
	}
	for _, link := range ask {
		// Without a connection there is no answer, and the time runs out.
		_ = c.nc.PublishRequest(c.subjects.link(link), c.subjects.gone(c.link, link), nil)
	}
}

// linkMessage handles what comes on the subjects of links. Called by the reader.
func (c *Broker) linkMessage(m *nats.Msg) {
	switch m.Sub {
	case c.heartbeats:
		c.heartbeat(string(m.Data))
	case c.unheard:
		if len(m.Data) == 0 && m.Header.Get("Status") == "503" && len(m.Subject) > linkLength {
			c.lostLink(m.Subject[len(m.Subject)-linkLength:])
		}
	}
}

// Probe asks whether the other nodes are still there, which a Broker does by itself when
// one has been silent for a while. It is for those who know sooner that one may have come
// or gone. It does not wait.
func (c *Broker) Probe() { _ = c.queue.add(op{action: probe}) }

// greet makes the writer say Hello in all namespaces.
func (c *Broker) greet() {
	c.greeting.Store(true)
	c.queue.stir()
}
