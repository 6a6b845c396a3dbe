package embedded

// Subscriptions returns how many subscriptions the server knows.
func (c *Cluster) Subscriptions() int { return int(c.server.NumSubscriptions()) }
