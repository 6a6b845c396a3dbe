package embedded

import "github.com/nats-io/nats-server/v2/server"

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

// Written returns how many sessions have been written, as far as the server knows.
func (c *Cluster) Written() uint64 {
	z, err := c.server.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return 0
	}
	for _, account := range z.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Name == "PARLEY_SESSIONS" {
				return stream.State.LastSeq
			}
		}
	}
	return 0
}
