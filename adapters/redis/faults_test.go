package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// within returns a ctx of the test that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Requests end when their time is up while the broker is away, and when a node that was
// counted does not answer; what has come is returned.
func TestRequestsFail(t *testing.T) {
	broker := brokertest.Redis(t)
	client := newClient(t, broker.Addr())
	o := redisadapter.Options{RequestTime: 3 * time.Second}
	a, b := newNode(t, client, o), newNode(t, client, o)
	a.ready()
	y := b.join("/", "blue")
	dead := client.Subscribe(t.Context(), "socket.io-request#/#") // a node that says nothing
	defer dead.Close()
	if _, err := dead.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patience)
	if n, err := a.io.Nodes(ctx); n != 3 || err != nil {
		t.Errorf("%d nodes, %v", n, err)
	}
	list, err := a.io.FetchSockets(ctx)
	if len(list) != 1 || list[0].ID != y.id || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("FetchSockets: %v, %v", list, err)
	}
	short := within(t, 3*time.Second)
	answers, err := socketio.CallAll[[]any](short, a.io.To("blue"), "ask", 1)
	if len(answers) != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("CallAll: %v, %v", answers, err)
	}
	dead.Close()
	broker.Stop()
	if _, err := a.io.Nodes(ctx); err == nil {
		t.Error("nodes were counted without a broker")
	}
	if _, err := a.io.FetchSockets(ctx); err == nil {
		t.Error("sockets were fetched without a broker")
	}
	broker.Restart()
	a.ready()
	b.ready()
	for ctx := within(t, patience); ; { // both may still find out which connections have ended
		list, err := a.io.FetchSockets(ctx)
		if len(list) == 1 && err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("FetchSockets afterwards: %v, %v", list, err)
		}
	}
}

// A node that has not said how long it waits is given acknowledgements for AckTime. One that
// has said so is given them for that long.
func TestAckTime(t *testing.T) {
	client := newClient(t, brokertest.Redis(t).Addr())
	n := newNode(t, client, redisadapter.Options{AckTime: 100 * time.Millisecond})
	u := n.join("/", "blue")
	asked, acknowledge := make(chan int, 2), make(chan bool)
	socketio.Handle(u.c, "wait", func(_ context.Context, i int) (int, error) {
		asked <- i
		if i == 1 {
			<-acknowledge
		}
		return i, nil
	})
	answers := client.Subscribe(t.Context(), "socket.io-response#/#")
	defer answers.Close()
	if _, err := answers.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	call := func(i int, opts string) {
		t.Helper()
		request := fmt.Sprintf("\x85\xa3uid\xa1f\xa9requestId\xa2r%d\xa4type\x07\xa6packet\x83\xa4type\x02\xa4data\x92\xa4wait%c\xa3nsp\xa1/\xa4opts%s", i, rune(i), opts)
		if err := client.Publish(t.Context(), "socket.io-request#/#", request).Err(); err != nil {
			t.Fatal(err)
		}
		<-asked
	}
	call(1, "\x81\xa5rooms\x91\xa4blue")
	time.Sleep(time.Second) // its time is over
	close(acknowledge)
	call(2, "\x82\xa5rooms\x91\xa4blue\xa5flags\x81\xa7timeout\xcd\xea\x60") // a minute
	got := make(map[string]int)
	for got["r2"] < 2 { // how many clients are asked, and what the client says
		m, err := answers.ReceiveMessage(within(t, patience))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"r1", "r2"} {
			if strings.Contains(m.Payload, id) {
				got[id]++
			}
		}
	}
	if got["r1"] != 1 {
		t.Errorf("%d answers, want how many clients are asked, and no late acknowledgement", got["r1"])
	}
}

// A flood of what is no message is counted, and does not keep from working.
func TestFlood(t *testing.T) {
	// Redis must not cut the subscription if this machine is slow to read the flood.
	client := newClient(t, brokertest.Redis(t, "--client-output-buffer-limit", "pubsub", "0", "0", "0").Addr())
	n := newNode(t, client, redisadapter.Options{MaxMessage: 100_000})
	u := n.join("/", "blue")
	// What takes long must not be published again.
	flood := redis.NewClient(&redis.Options{Addr: client.Options().Addr, ReadTimeout: time.Minute, WriteTimeout: time.Minute, MaxRetries: -1})
	defer flood.Close()
	pipe := flood.Pipeline()
	garbage := []string{"", "{", "\x93", "\xdd\xff\xff\xff\xff", `{"type":99}`, `{"uid":1}`, "\x81\xa4type\x07", string(make([]byte, 200_000))}
	const times = 200
	for range times {
		for _, g := range garbage {
			pipe.Publish(t.Context(), "socket.io#/#blue#", g)
			pipe.Publish(t.Context(), "socket.io-request#/#", g)
		}
		pipe.Publish(t.Context(), "socket.io-response#/#", "\x93")
		pipe.Publish(t.Context(), "socket.io-response#/#", `{"requestId":"nobody's"}`)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.ready()
	u.wantNothing(n, "/")
	s := n.broker.Stats()
	if want := int64(times * (2*len(garbage) + 1)); s.Refused != want || s.Gaps != 0 {
		t.Errorf("%+v, want %d refused", s, want)
	}
}

// A Broker that is made while Redis is away works when it is there; one that is closed
// in between leaves nothing behind.
func TestAway(t *testing.T) {
	broker := brokertest.Redis(t)
	broker.Stop()
	client := newClient(t, broker.Addr())
	n := newNode(t, client, redisadapter.Options{QueueBytes: 4000})
	if err := n.broker.Ready(within(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ready: %v", err)
	}
	var err error
	for range 100 {
		if err = n.io.Emit("e", "01234567890123456789"); err != nil {
			break
		}
	}
	if err == nil || n.broker.Stats().Dropped != 1 {
		t.Errorf("a full queue: %v, %+v", err, n.broker.Stats())
	}
	gone, err := redisadapter.New(client, &redisadapter.Options{Logger: quiet()})
	check(t, err)
	if err := gone.Close(within(t, 100*time.Millisecond)); err != nil {
		t.Errorf("Close of nothing: %v", err)
	}
	broker.Restart()
	n.ready()
}

// Nodes come and go: what a server has sent before Shutdown arrives.
func TestShutdown(t *testing.T) {
	client := newClient(t, brokertest.Redis(t).Addr())
	b := newNode(t, client, redisadapter.Options{})
	y := b.join("/", "blue")
	for i := range 5 {
		a := newNode(t, client, redisadapter.Options{})
		a.ready()
		for j := range 100 {
			check(t, a.io.To("blue").Emit("n", i, j))
		}
		check(t, a.io.Shutdown(within(t, patience)))
		for n, ctx := 0, within(t, patience); n != 1; { // Redis learns of the end a moment later
			var err error
			n, err = b.io.Nodes(ctx)
			check(t, err)
		}
		for j := range 100 {
			y.want(fmt.Sprintf("n %d %d", i, j))
		}
	}
}
