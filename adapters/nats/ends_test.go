package natsadapter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/brokertest"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio"
)

// What anybody publishes does no harm.
func TestHostile(t *testing.T) {
	s := serve(t, nil)
	a := start(t, s.ClientURL(), nil)
	c := a.dial("x")
	ready(t, a)
	interest(t, s, "parley.ns./.room.x", 1)
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	uid := "\x11" + "0123456789abcdef1"
	sent := []string{
		"", "{}", "\x01\x03\x00", "\x01\x03\x00" + uid + "\x00\x00\x05[\"n\",", "\x01\x03\x00" + uid + "\x00\x00\x03[0]x\x00",
		"\x01\x03\x00" + uid + "\x00\x00\x0f[\"disconnect\"]x\x00", "\x01\x01\x00\x11../..*.>.abcdefg1", "\x01\x07\x08" + uid + "\x01q\x00\x00\x00",
	}
	for _, m := range sent {
		for _, subject := range []string{"parley.ns./.all", "parley.ns./.room.x"} {
			check(t, nc.Publish(subject, []byte(m)))
		}
	}
	for i := range 20_000 {
		check(t, nc.Publish("parley.links", fmt.Appendf(nil, "%016x", i)))
	}
	check(t, nc.Publish("parley.links", []byte("not a link")))
	check(t, nc.Publish("parley.ns./.room.x", []byte("\x01\x03\x00"+uid+"\x01\x01x\x00\x08[\"well\"]\x00")))
	c.want("well")
	until(t, "what nobody hears is forgotten", func() bool { return a.c.Stats().Nodes == 0 })
	if st := a.c.Stats(); st.Refused < int64(2*len(sent)-2) || st.Gaps > 0 {
		t.Errorf("%+v", st)
	}
	if err := a.io.To("x").Emit("big", make([]byte, 2<<20)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("an event larger than the server takes: %v", err)
	}
	if st := a.c.Stats(); st.Dropped != 1 {
		t.Errorf("%+v", st)
	}
}

// Close ends everything in every state.
func TestClose(t *testing.T) {
	at := brokertest.FreePort(t)
	c, err := natsadapter.New(fmt.Sprintf("nats://127.0.0.1:%d", at), &natsadapter.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	check(t, c.Close(t.Context()))
	check(t, c.Close(t.Context()))
	if err := c.Ready(t.Context()); err == nil {
		t.Error("Ready after Close")
	}
	if _, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter, Logger: quiet()}); err == nil {
		t.Error("Adapter after Close")
	}

	away := start(t, fmt.Sprintf("nats://127.0.0.1:%d", at), nil)
	check(t, away.io.Emit("lost"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	away.io.Shutdown(ctx)
	if err := away.c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	if st := away.c.Stats(); st.Dropped == 0 {
		t.Errorf("%+v", st)
	}

	// What was published before still arrives.
	s := serve(t, nil)
	a, b := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil)
	ready(t, a, b)
	in := b.dial("x")
	interest(t, s, "parley.ns./.room.x", 1)
	for i := range 1000 {
		check(t, a.io.To("x").Emit("n", 0, i))
	}
	check(t, a.io.Shutdown(t.Context()))
	check(t, a.c.Close(t.Context()))
	numbered(t, in, 1, 1000)
	ready(t, b)
}

// Namespaces that come and go, here and there, under the same name.
func TestNamespaces(t *testing.T) {
	s := serve(t, nil)
	a, b := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil)
	ready(t, a, b)
	for i := range 20 {
		name := fmt.Sprint("/n.* ", i%2)
		for _, n := range []*node{a, b} {
			if count, err := n.io.Of(name).Nodes(t.Context()); err != nil || count < 1 {
				t.Fatal(count, err)
			}
		}
		until(t, "both know each other", func() bool {
			n, _ := a.io.Of(name).Nodes(t.Context())
			m, _ := b.io.Of(name).Nodes(t.Context())
			return n == 2 && m == 2
		})
	}
	if names := a.io.Namespaces(); !slices.Contains(names, "/n.* 1") {
		t.Error(names)
	}
}
