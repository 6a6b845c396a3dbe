package redislink

import (
	"context"
	"net"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/redis/go-redis/v9"
)

// A shard channel that is left and wanted again, before Redis has answered that it was left,
// has not moved to another server: the connection stays.
func TestLeftAndWanted(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: brokertest.Redis(t).Addr()})
	defer client.Close()
	s := &station{t: t, heard: make(chan string, 10), lost: make(chan struct{}, 100)}
	s.sub = NewSubscriber(SubscriberOptions{
		Dial: func(ctx context.Context) (net.Conn, error) { return Dial(ctx, client) }, Handler: s, MaxMessage: 100,
		Sharded: true, Probe: func() {}, Unheard: func() {}, Logger: quiet(),
	})
	defer s.sub.Close()
	sync := func() {
		t.Helper()
		if err := s.sub.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sync()
	for range 1000 {
		s.sub.Subscribe("a")
		s.sub.Unsubscribe("a")
		s.sub.Subscribe("b", "a")
		s.sub.Unsubscribe("a", "b")
	}
	s.sub.Subscribe("a")
	sync()
	if err := client.SPublish(t.Context(), "a", "x").Err(); err != nil {
		t.Fatal(err)
	}
	s.want("|a=x")
	if n := s.sub.Generation(); n != 1 || len(s.lost) > 0 {
		t.Errorf("the connection has ended %d times", n-1)
	}
	s.sub.mu.Lock()
	defer s.sub.mu.Unlock()
	if n := len(s.sub.leaving); n > 0 {
		t.Errorf("%d channels are left without an answer", n)
	}
}
