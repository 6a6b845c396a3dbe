package socketio

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// newTestParcel returns a parcel of a size.
func newTestParcel(size int) *parcel {
	e := &emission{messages: make([]*engineio.Message, 1)}
	e.size = size - parcelOverhead - messageOverhead
	return &parcel{e: e}
}

// What leaves an outbox by any door makes room, and nothing else does.
func TestOutbox(t *testing.T) {
	b := outbox{most: 4, mostBytes: 4000, dropOldest: true}
	var all []*parcel
	push := func(size, dropped int, want error) {
		t.Helper()
		p := newTestParcel(size)
		all = append(all, p)
		gone, err := b.push(p)
		if err != want || len(gone) != dropped {
			t.Errorf("push of %d: %d dropped, %v; want %d, %v", size, len(gone), err, dropped, want)
		}
	}
	for range 4 {
		push(1000, 0, nil)
	}
	push(1000, 1, nil) // 1 to 4 are there
	push(2000, 2, nil) // 3 to 5
	push(4001, 0, ErrBufferFull)
	all[3].away, all[4].away = true, true
	push(1000, 1, nil) // 3, 4, 7: what is on its way is not dropped
	push(2500, 0, ErrBufferFull)
	if len(b.parcels) != 3 || b.bytes != 3000 || b.dropped != 4 {
		t.Errorf("%d parcels of %d bytes, %d dropped", len(b.parcels), b.bytes, b.dropped)
	}
	if !b.remove(all[7]) || b.remove(all[8]) || !b.remove(all[4]) || b.remove(all[4]) || b.first() != all[3] {
		t.Error("remove says what it has not done")
	}
	if b.passed(all[3].number+1) || !b.passed(all[3].number) {
		t.Error("passed")
	}
	if got := b.take(); len(got) != 1 || b.bytes != 0 || b.first() != nil || !b.passed(b.numbers) {
		t.Errorf("take returned %d parcels and left %d bytes", len(got), b.bytes)
	}
	b.dropOldest = false
	for range 4 {
		push(100, 0, nil)
	}
	push(100, 0, ErrBufferFull)
	if b.dropped != 4 {
		t.Errorf("%d dropped", b.dropped)
	}
}

// An outbox holds nothing of what has left it, does not move what waits behind its oldest parcel, and
// takes no memory when it is empty.
func TestOutboxMemory(t *testing.T) {
	b := outbox{most: 4, mostBytes: noCount}
	for range 4 {
		b.push(newTestParcel(1000))
	}
	all := b.parcels
	second := &b.parcels[1]
	b.remove(b.first())
	if &b.parcels[0] != second {
		t.Error("the others have moved")
	}
	b.remove(b.parcels[1])
	for p := b.first(); p != nil; p = b.first() {
		b.remove(p)
	}
	for i, p := range all {
		if p != nil {
			t.Errorf("parcel %d is still held", i)
		}
	}
	if b.parcels != nil {
		t.Errorf("room for %d parcels is kept", cap(b.parcels))
	}
}

// The time of a try is over when the next one has begun, however late its timer is.
func TestLateTry(t *testing.T) {
	_, c, err := newManager("http://example.com", &DialOptions{Retries: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := newTestParcel(1000)
	p.tries, p.away, p.timer = 2, true, time.NewTimer(time.Hour)
	if err := c.keep(p); err != nil {
		t.Fatal(err)
	}
	if c.late(p, 1); !p.away || c.outbox.first() != p {
		t.Error("the first try has ended the second")
	}
	if c.late(p, 2); p.away || c.outbox.first() != nil {
		t.Error("the second try goes on")
	}
}

// A server that guesses the id may acknowledge an event while sending it fails, before there is a timer.
// The event is done then.
func TestConfirmedUnsent(t *testing.T) {
	_, c, err := newManager("http://example.com", &DialOptions{Retries: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := newTestParcel(1000)
	if err := c.keep(p); err != nil {
		t.Fatal(err)
	}
	if c.confirmed(p, new(packet.Unit)); c.outbox.first() != nil {
		t.Error("the event still waits")
	}
}

// The timer of an event that has left the outbox, by any door, does not keep it in memory for the rest of
// its time.
func TestOutboxStopsTimers(t *testing.T) {
	for name, leave := range map[string]func(c *Client, p *parcel){
		"acknowledged": func(c *Client, p *parcel) { c.confirmed(p, new(packet.Unit)) },
		"withdrawn":    func(c *Client, p *parcel) { c.withdraw(p) },
		"given up":     func(c *Client, p *parcel) { c.late(p, 2) },
		"after Close":  func(c *Client, _ *parcel) { c.Close() },
	} {
		_, c, err := newManager("http://example.com", &DialOptions{Retries: 1})
		if err != nil {
			t.Fatal(err)
		}
		p := newTestParcel(1000)
		p.tries, p.away, p.timer = 2, true, time.NewTimer(time.Hour)
		if err := c.keep(p); err != nil {
			t.Fatal(err)
		}
		if leave(c, p); c.outbox.first() != nil {
			t.Errorf("%s: the event still waits", name)
		}
		if p.timer.Stop() {
			t.Errorf("%s: the timer still runs", name)
		}
	}
}

// A deaf receiver hears nothing.
type deafReceiver struct{}

func (deafReceiver) Message([]byte, bool)   {}
func (deafReceiver) Closed(engineio.Reason) {}

// A tripFunc answers requests.
type tripFunc func(*http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Events wait for the next session when that of now has ended, of which the Client is about to learn.
func TestOutboxEndedSession(t *testing.T) {
	m, c, err := newManager("http://example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &engineio.DialOptions{Transports: []string{"polling"}}
	o.HTTPClient = &http.Client{Transport: tripFunc(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("sid") != "" {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		open := `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(open))}, nil
	})}
	s, err := engineio.Dial(t.Context(), m.url, func(*engineio.Client) engineio.Receiver { return deafReceiver{} }, o)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	<-s.Done()
	m.conn, c.state = &clientConn{m: m, session: s}, joined
	for _, name := range []string{"a", "b"} {
		if err := c.Emit(name); err != nil {
			t.Errorf("Emit: %v", err)
		}
	}
	m.mu.Lock()
	c.sendBuffered()
	m.unlock()
	if n := c.Buffered(); n != 2 {
		t.Errorf("%d events wait, want 2", n)
	}
}

// A full outbox takes no more memory, whatever passes through.
func TestOutboxSteady(t *testing.T) {
	b := outbox{most: 1000, mostBytes: noCount, dropOldest: true}
	wantFlat(t, func() {
		for range overload() {
			if _, err := b.push(newTestParcel(1000)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got := len(b.parcels); got != 1000 || cap(b.parcels) > 4000 {
		t.Errorf("%d parcels, room for %d", got, cap(b.parcels))
	}
	other := outbox{most: 10, mostBytes: noCount}
	wantFlat(t, func() {
		for range overload() {
			p := newTestParcel(1000)
			if _, err := other.push(p); errors.Is(err, ErrBufferFull) || !other.remove(p) {
				t.Fatal("push or remove")
			}
		}
	})
}
