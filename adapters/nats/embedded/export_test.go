package embedded

// Subscriptions returns how many subscriptions the server knows.
func (c *Cluster) Subscriptions() int { return int(c.server.NumSubscriptions()) }

// Keeps reports whether the server has all that is kept.
func (c *Cluster) Keeps() bool {
	return c.server.JetStreamIsStreamCurrent("$G", "PARLEY_EVENTS") && c.server.JetStreamIsStreamCurrent("$G", "PARLEY_SESSIONS")
}

// Leads reports whether the server leads what is kept.
func (c *Cluster) Leads(stream string) bool { return c.server.JetStreamIsStreamLeader("$G", stream) }

// URL returns where the server lets its own process in.
func (c *Cluster) URL() string { return c.server.ClientURL() }
