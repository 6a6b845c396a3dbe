package redislink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// A station is both connections of one node.
type station struct {
	t     testing.TB
	pub   *Publisher
	sub   *Subscriber
	heard chan string // messages, as channel=payload
	lost  chan struct{}
}

func (*station) More(bool) {}
func (*station) Flush()    {}

func (s *station) Message(pattern, channel, payload []byte) {
	s.heard <- string(pattern) + "|" + string(channel) + "=" + string(payload)
}
func (s *station) Lost() { s.lost <- struct{}{} }
func (s *station) Refused(channel []byte, size int) {
	s.heard <- fmt.Sprintf("refused %s %d", channel, size)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newStation(t testing.TB, addr string, limit int) *station {
	client := redis.NewClient(&redis.Options{Addr: addr})
	dial := func(ctx context.Context) (net.Conn, error) { return Dial(ctx, client) }
	s := &station{t: t, heard: make(chan string, 100_000), lost: make(chan struct{}, 100)}
	s.pub = NewPublisher(dial, limit, quiet())
	s.sub = NewSubscriber(SubscriberOptions{Dial: dial, Handler: s, MaxMessage: 1 << 20, Probe: func() {}, Unheard: func() {}, Logger: quiet()})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.pub.Close(ctx)
		s.sub.Close()
		client.Close()
	})
	return s
}

func (s *station) publish(channel, payload string) error {
	return s.pub.Send(AppendPublish(nil, []byte(payload), channel))
}

// sync waits until what was asked for is done.
func (s *station) sync() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	if err := s.sub.Sync(ctx); err != nil {
		s.t.Fatal("Sync:", err)
	}
	if err := s.pub.Flush(ctx); err != nil {
		s.t.Fatal("Flush:", err)
	}
}

func (s *station) want(want ...string) {
	s.t.Helper()
	for _, w := range want {
		select {
		case got := <-s.heard:
			if got != w {
				s.t.Fatalf("heard %.200q, want %.200q", got, w)
			}
		case <-time.After(20 * time.Second):
			s.t.Fatalf("heard nothing, want %.200q", w)
		}
	}
}

func TestPublishAndSubscribe(t *testing.T) {
	s := newStation(t, brokertest.Redis(t).Addr(), 8<<20)
	s.sub.Subscribe("a", "b")
	s.sub.Subscribe("a")
	s.sub.PSubscribe("p*")
	s.sync()
	long, tooLong := strings.Repeat("x", 200<<10), strings.Repeat("y", 1<<20+1)
	for _, payload := range []string{"1", "", "\r\n", long, tooLong, "2"} {
		if err := s.publish("a", payload); err != nil {
			t.Fatal(err)
		}
	}
	s.publish("p1", "3")
	s.publish("nobody", "4")
	s.want("|a=1", "|a=", "|a=\r\n", "|a="+long, fmt.Sprintf("refused a %d", len(tooLong)), "|a=2", "p*|p1=3")
	s.sub.Unsubscribe("a") // which is wanted once more
	s.sub.Unsubscribe("b")
	s.sub.PUnsubscribe("p*")
	s.sync()
	for _, channel := range []string{"b", "p1", "a"} {
		s.publish(channel, "5")
	}
	s.want("|a=5")
	s.sub.Unsubscribe("a")
	s.sync()
	s.sub.Subscribe("a") // after nothing at all
	s.sync()
	s.publish("a", "6")
	s.want("|a=6")
	s.sync()
	if sent, dropped := s.pub.Counts(); sent != 12 || dropped != 0 {
		t.Errorf("sent %d, dropped %d", sent, dropped)
	}
}

// A great number of messages comes in order and complete.
func TestOrder(t *testing.T) {
	s := newStation(t, brokertest.Redis(t).Addr(), 64<<20)
	s.sub.Subscribe("a")
	s.sync()
	for i := range 50_000 {
		if err := s.publish("a", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50_000 {
		s.want("|a=" + fmt.Sprint(i))
	}
}

// The broker is killed again and again while messages leave: none comes twice or in the wrong
// order, those that don't come are counted, and the subscriptions come back.
func TestBrokerKilled(t *testing.T) {
	broker := brokertest.Redis(t)
	s := newStation(t, broker.Addr(), 64<<20)
	s.sub.Subscribe("a", "b", "c")
	s.sync()
	stop, sent := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { sent <- n }()
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pace.C:
				if s.publish("a", fmt.Sprint(n)) == nil {
					n++
				}
			}
		}
	}()
	for range 5 {
		broker.Kill()
		<-s.lost
		broker.Restart()
		begin := time.Now()
		s.sync()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("subscribed again after %v", d)
		}
	}
	close(stop)
	n := <-sent
	s.sync()
	s.publish("b", "end")
	last, came := -1, 0
	for {
		select {
		case m := <-s.heard:
			if m == "|b=end" {
				s.sync()
				good, dropped := s.pub.Counts()
				if good+dropped != int64(n)+1 || int64(came) > good+dropped {
					t.Errorf("%d came of %d: sent %d, dropped %d", came, n, good, dropped)
				}
				t.Logf("%d came of %d: sent %d, dropped %d", came, n, good, dropped)
				return
			}
			var i int
			fmt.Sscanf(m, "|a=%d", &i)
			if i <= last {
				t.Fatalf("%d after %d", i, last)
			}
			last = i
			came++
		case <-time.After(20 * time.Second):
			t.Fatal("the end does not come")
		}
	}
}

// While the broker stands still what is published waits, up to the bound, and leaves
// when it goes on. Nobody waits for it.
func TestBrokerStopped(t *testing.T) {
	broker := brokertest.Redis(t)
	s := newStation(t, broker.Addr(), 16<<20)
	s.sub.Subscribe("a")
	s.sync()
	broker.Pause()
	payload := strings.Repeat("x", 1<<16)
	full := 0
	begin := time.Now()
	for i := range 1000 { // 64 MiB
		if err := s.publish("a", fmt.Sprint(i, " ", payload)); errors.Is(err, ErrFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("publishing took %v", d)
	}
	if full == 0 || full > 800 {
		t.Errorf("%d of 1000 are refused", full)
	}
	broker.Resume()
	s.sync()
	sent, dropped := s.pub.Counts()
	if dropped != int64(full) || sent != int64(1000-full) {
		t.Errorf("sent %d, dropped %d, refused %d", sent, dropped, full)
	}
	last := -1
	for range sent {
		var i int
		fmt.Sscanf(<-s.heard, "|a=%d", &i)
		if i <= last {
			t.Fatalf("%d after %d", i, last)
		}
		last = i
	}
}

// Nothing waits for a broker that is not there, nor fails, and all is done when it is.
func TestBrokerAway(t *testing.T) {
	broker := brokertest.Redis(t)
	broker.Stop()
	s := newStation(t, broker.Addr(), 100)
	s.sub.Subscribe("a")
	if err := s.publish("a", "1"); err != nil {
		t.Fatal(err)
	}
	if err := s.publish("a", strings.Repeat("x", 100)); err != ErrFull {
		t.Errorf("too much: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.sub.Sync(ctx); err != context.DeadlineExceeded {
		t.Errorf("Sync: %v", err)
	}
	if err := s.pub.Flush(ctx); err != context.DeadlineExceeded {
		t.Errorf("Flush: %v", err)
	}
	if s.sub.Generation() != 0 {
		t.Error("there is a connection")
	}
	if err := s.pub.Close(ctx); err != context.DeadlineExceeded {
		t.Errorf("Close: %v", err)
	}
	if err := s.publish("a", "2"); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	if sent, dropped := s.pub.Counts(); sent != 0 || dropped != 3 {
		t.Errorf("sent %d, dropped %d", sent, dropped)
	}
	broker.Restart()
	s.sync()
}

// Connections that are cut under way come back.
func TestConnectionsCut(t *testing.T) {
	proxy := brokertest.NewProxy(t, brokertest.Redis(t).Addr())
	s := newStation(t, proxy.Addr(), 1<<20)
	s.sub.Subscribe("a")
	s.sync()
	for i := range 5 {
		proxy.Cut()
		<-s.lost
		s.sync()
		before := s.sub.Generation()
		s.through(fmt.Sprint(i))
		if s.sub.Generation() != before {
			t.Error("another connection")
		}
	}
}

// through publishes a message until it is heard: what leaves on a connection that has been cut
// is lost. Messages of before may still come.
func (s *station) through(text string) {
	s.t.Helper()
	end := time.After(20 * time.Second)
	for {
		s.publish("a", text)
		again := time.After(100 * time.Millisecond)
		for waits := true; waits; {
			select {
			case got := <-s.heard:
				if got == "|a="+text {
					return
				}
			case <-again:
				waits = false
			case <-end:
				s.t.Fatalf("%q is not heard", text)
			}
		}
	}
}

// Each kind of client leads to connections.
func TestClients(t *testing.T) {
	t.Run("cluster", func(t *testing.T) {
		if testing.Short() {
			t.Skip("starting a cluster of Redis takes seconds")
		}
		c := brokertest.RedisCluster(t)
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()})
		defer client.Close()
		works(t, client)
	})
	t.Run("sentinel", func(t *testing.T) {
		if testing.Short() {
			t.Skip("starting sentinels takes seconds")
		}
		f := brokertest.RedisFailover(t)
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: brokertest.MasterName, SentinelAddrs: f.Addrs()})
		defer client.Close()
		works(t, client)
	})
	t.Run("password", func(t *testing.T) {
		r := brokertest.Redis(t)
		if _, err := r.Do("CONFIG", "SET", "requirepass", "secret"); err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: "secret"})
		defer client.Close()
		works(t, client)
		wrong := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: "wrong"})
		defer wrong.Close()
		if _, err := Dial(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("a wrong password: %v", err)
		}
	})
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	if Check(ring) == nil {
		t.Error("a ring is taken")
	}
}

func works(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	if err := Check(client); err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := newReplies(conn, 64)
	io.WriteString(conn, "*1\r\n$4\r\nPING\r\n")
	if line, err := r.line(); string(line) != "+PONG" {
		t.Errorf("%q, %v", line, err)
	}
}
