// Package redislink has the two connections that an adapter on Redis lives on: one that
// commands leave by, in order, and one that subscriptions come by. Both come back by
// themselves, and neither ever makes a caller wait for the broker.
//
// go-redis makes the connections, with all that belongs to it: TLS, authentication,
// sentinels, the nodes of a cluster. What travels on them is written and read here,
// because the pipelines of go-redis send again what may have arrived, and cost more
// than the rest of an adapter.
package redislink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/auth"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// errClient is the error for a client that has no one place for publishing.
var errClient = errors.New("redis: not a *redis.Client or *redis.ClusterClient")

// Check reports whether Dial can use a client.
func Check(client redis.UniversalClient) error {
	switch client.(type) {
	case *redis.Client, *redis.ClusterClient:
		return nil
	}
	return fmt.Errorf("%w: %T", errClient, client)
}

// Dial makes a connection like those of client, authenticated and in RESP2, which
// belongs to the caller. On a cluster it goes to a node chosen by chance.
func Dial(ctx context.Context, client redis.UniversalClient) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	switch c := client.(type) {
	case *redis.Client:
		return dial(ctx, c.Options())
	case *redis.ClusterClient:
		node, err := c.MasterForKey(ctx, strconv.Itoa(rand.IntN(1<<20)))
		if err != nil {
			return nil, err
		}
		conn, err := dial(ctx, node.Options())
		if err != nil {
			c.ReloadState(ctx)
		}
		return conn, err
	}
	return nil, errClient
}

// dialTime is how long a connection may take until it can be used.
const dialTime = 5 * time.Second

// dial makes one connection. A client of its own greets the server on it and is then done:
// the connection is taken out of its hands.
func dial(ctx context.Context, options *redis.Options) (net.Conn, error) {
	o := *options
	conn, err := o.Dialer(ctx, o.Network, o.Addr) // here, since a client would log each failure
	if err != nil {
		return nil, err
	}
	keep := &kept{Conn: conn}
	o.Dialer = func(context.Context, string, string) (net.Conn, error) { return keep.once() }
	o.Protocol = 2
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns, o.MaxConcurrentDials = 1, 0, 0, 0, 1
	o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = dialTime, dialTime, true
	o.Limiter, o.AutoPipelineOptions, o.PushNotificationProcessor = nil, nil, nil
	o.ClientSideCache, o.ClientSideCacheConfig = nil, nil
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if p := o.StreamingCredentialsProvider; p != nil {
		o.StreamingCredentialsProvider = nil
		o.CredentialsProviderContext = func(context.Context) (string, string, error) { return once(p) }
	}
	client := redis.NewClient(&o)
	err = client.Ping(ctx).Err()
	usable := keep.take()
	client.Close()
	if err == nil && !usable {
		err = errors.New("redis: connection was closed")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

// once asks for the credentials of this moment. When they have expired the server ends
// the connection, and the next one has others.
func once(p auth.StreamingCredentialsProvider) (name, password string, err error) {
	credentials, done, err := p.Subscribe(deaf{})
	if err != nil {
		return "", "", err
	}
	name, password = credentials.BasicAuth()
	return name, password, done()
}

// deaf is a listener that wants no later credentials.
type deaf struct{}

func (deaf) OnNext(auth.Credentials) {}
func (deaf) OnError(error)           {}

// kept is a connection as a client sees it, which dials it once and can't close it any
// more when it has been taken.
type kept struct {
	net.Conn
	mu                   sync.Mutex
	given, taken, closed bool
}

func (c *kept) once() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		return nil, net.ErrClosed
	}
	c.given = true
	return c, nil
}

// take takes the connection from the client. It returns false if that has closed it.
func (c *kept) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = true
	return !c.closed
}

// Close implements net.Conn.
func (c *kept) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return nil
	}
	c.closed = true
	return c.Conn.Close()
}

// A backOff is how long to wait before the next attempt: 50 ms, then twice as long each
// time, up to a second, less a part by chance.
type backOff struct{ last time.Duration }

func (b *backOff) next() time.Duration {
	b.last = min(max(2*b.last, 50*time.Millisecond), time.Second)
	return b.last - rand.N(b.last/2)
}

// after is told how long a connection has lasted. One that was good begins anew.
func (b *backOff) after(lasted time.Duration) {
	if lasted > time.Second {
		b.last = 0
	}
}

// pause waits before the next attempt. It returns false if ctx has ended.
func (b *backOff) pause(ctx context.Context) bool {
	t := time.NewTimer(b.next())
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
