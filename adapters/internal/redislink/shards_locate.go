package redislink

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Times between two looks: at least, and at most.
const (
	lookAgain = 200 * time.Millisecond
	lookIdle  = 10 * time.Second
)

// run looks where the channels are: at first, when a connection has ended, and now and then.
func (s *Shards) run() {
	defer close(s.ended)
	watch := time.NewTicker(lookIdle)
	defer watch.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select { // go-redis asks for the slots on a goroutine of its own: that takes a while
		case <-pause.C:
		case <-s.over.Done():
			return
		}
		pause.Reset(lookAgain)
		if !s.locate() {
			continue
		}
		select {
		case <-s.look:
			s.cluster.ReloadState(s.over)
		case <-watch.C:
		case <-s.over.Done():
			return
		}
	}
}

// locate finds out where the channels are, and moves those that are elsewhere. It returns
// false if Redis is away.
func (s *Shards) locate() bool {
	ctx, cancel := context.WithTimeout(s.over, dialTime)
	defer cancel()
	var mu sync.Mutex
	masters := make(map[string]bool)
	err := s.cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		masters[c.Options().Addr] = true
		return nil
	})
	if err != nil || len(masters) == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	for channel, w := range s.wanted {
		s.place(channel, w)
	}
	for addr, v := range s.servers {
		if !masters[addr] {
			delete(s.servers, addr)
			go s.retire(v)
		}
	}
	select {
	case <-s.known:
	default:
		for _, e := range s.early {
			if v := s.server(e.channel); v == nil || v.pub.Send(e.command) != nil {
				s.lost++
			}
		}
		s.early, s.bytes = nil, 0
		close(s.known)
	}
	return true
}

// retire ends the connections with a server that has no channels any more.
func (s *Shards) retire(v *server) {
	ctx, cancel := context.WithCancel(s.over)
	cancel() // nobody is there, or nobody who would take it
	v.sub.Close()
	_ = v.pub.Close(ctx)
	sent, dropped := v.pub.Counts()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += sent
	s.lost += dropped
}

// server returns the server that has a channel, nil if nobody knows. Called with mu held,
// and when go-redis knows the slots: then it does not wait.
func (s *Shards) server(channel string) *server {
	if s.cluster == nil {
		return s.servers[""]
	}
	node, err := s.cluster.MasterForKey(s.over, channel)
	if err != nil {
		return nil
	}
	o := node.Options()
	v := s.servers[o.Addr]
	if v == nil {
		v = s.newServer(func(ctx context.Context) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTime)
			defer cancel()
			s.Look() // a connection before may have ended because another server is in charge
			return dial(ctx, o)
		})
		s.servers[o.Addr] = v
	}
	return v
}

// place subscribes to a channel where it is. Called with mu held.
func (s *Shards) place(channel string, w *wanted) {
	v := s.server(channel)
	if v == w.on || v == nil {
		return
	}
	if w.on != nil {
		w.on.sub.Unsubscribe(channel)
	}
	w.on = v
	v.sub.Subscribe(channel)
}
