package socketio

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
)

// The defaults are those that the documentation names.
func TestDefaults(t *testing.T) {
	if got, want := (Recovery{}).withDefaults(), (Recovery{MaxAge: 2 * time.Minute, EventBytes: 16777216, Sessions: 10000}); got != want {
		t.Errorf("Recovery: %+v, want %+v", got, want)
	}
	limits := Limits{ConnectTimeout: 45 * time.Second, AttachmentTimeout: 30 * time.Second, Attachments: 10, AttachmentBytes: 1000000,
		AckTimeout: 20 * time.Second, PendingAcks: 1024, Rooms: 1000, Namespaces: 32, HandlerQueueBytes: 4194304}
	if got := (Limits{}).withDefaults(0); got != limits {
		t.Errorf("Limits: %+v, want %+v", got, limits)
	}
	if MaxArguments != 128 || MaxDepth != 64 {
		t.Errorf("MaxArguments = %d, MaxDepth = %d", MaxArguments, MaxDepth)
	}
	ofClient := ClientLimits{JoinTimeout: 45 * time.Second, BufferEvents: 10000, BufferBytes: 16777216, Attachments: 10,
		AttachmentBytes: 33554432, AttachmentTimeout: 30 * time.Second, PendingAcks: 1024, HandlerQueueBytes: 4194304}
	if got := (ClientLimits{}).withDefaults(new(engineio.DialLimits)); got != ofClient {
		t.Errorf("ClientLimits: %+v, want %+v", got, ofClient)
	}
	if o, err := (*DialOptions)(nil).resolve(); err != nil || o.AckTimeout != 20*time.Second {
		t.Errorf("DialOptions.AckTimeout: %v, want 20s; %v", o.AckTimeout, err)
	}
	for queue, want := range map[int]int{1000: 1000, 1 << 30: 16777216, -1: 16777216} {
		if got := (ClientLimits{}).withDefaults(&engineio.DialLimits{QueueBytes: queue}).BufferBytes; got != want {
			t.Errorf("BufferBytes is %d, want %d, for a queue of %d", got, want, queue)
		}
	}
}

// The logger is slog's default one, also of the sessions, unless there is one.
func TestDefaultLoggers(t *testing.T) {
	mine, other := slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)
	for _, tt := range []struct{ given, engine, want, wantEngine *slog.Logger }{
		{nil, nil, slog.Default(), slog.Default()},
		{mine, nil, mine, mine},
		{nil, other, slog.Default(), other},
	} {
		server := &Options{Logger: tt.given, Engine: engineio.Options{Logger: tt.engine}}
		if o, err := server.resolve(); err != nil || o.Logger != tt.want || o.Engine.Logger != tt.wantEngine {
			t.Errorf("a server has the loggers %p and %p, %v", o.Logger, o.Engine.Logger, err)
		}
		client := &DialOptions{Logger: tt.given, Engine: engineio.DialOptions{Logger: tt.engine}}
		if o, err := client.resolve(); err != nil || o.Logger != tt.want || o.Engine.Logger != tt.wantEngine {
			t.Errorf("a client has the loggers %p and %p, %v", o.Logger, o.Engine.Logger, err)
		}
	}
}

// What waits counts as much as the documentation says.
func TestCounted(t *testing.T) {
	e := &emission{messages: make([]*engineio.Message, 3), size: 1000} // with two attachments
	event := missable{e: e, t: Target{Rooms: []string{"ab"}, Except: []string{"cde"}}}
	if got, want := event.size(), 1000+320+2*128+(16+2)+(16+3); got != want {
		t.Errorf("an event that may be missed counts %d bytes, want %d", got, want)
	}
	if got, want := (&parcel{e: e}).size(), 1000+300+2*160; got != want {
		t.Errorf("an event that waits to be sent counts %d bytes, want %d", got, want)
	}
}

// Ids are 15 random bytes.
func TestRandomID(t *testing.T) {
	a, b := randomID(), randomID()
	if data, err := base64.RawURLEncoding.DecodeString(a); err != nil || len(data) != 15 || a == b {
		t.Errorf("ids %q and %q, %v", a, b, err)
	}
}

// Each of many pieces of binary data has a token of its own.
func TestTokens(t *testing.T) {
	s := newSwapper()
	s.values = make([][]byte, maxAttachments+2)
	for _, n := range []int{0, 1, 127, 128, 255, 256, 257, 511, 65535, 65536, 65537} {
		s.values[n] = []byte{byte(n), byte(n >> 8), byte(n >> 16)}
		if got, ok := s.lookup(s.token(n)); !ok || string(got) != string(s.values[n]) {
			t.Errorf("the token of %d leads to %v, %v", n, got, ok)
		}
	}
}

// An acknowledgement that no node tells of is missing.
func TestMissingAnswer(t *testing.T) {
	c := collector[int]{}
	c.Expect(1)
	if _, err := c.result(); err == nil {
		t.Error("no error")
	}
}

// An answer of another node that is none is an error of the call.
func TestWrongAnswer(t *testing.T) {
	for _, data := range []string{"", "]", "1,2"} {
		c := collector[int]{wire: &text}
		c.Expect(1)
		c.Reply(Encoded{Data: []byte(data)})
		list, err := c.result()
		if _, ok := errors.AsType[*parser.Error](err); !ok || list != nil {
			t.Errorf("%q: %v, %v", data, list, err)
		}
	}
}

// What a call has returned belongs to its caller: an answer that comes later is not written
// to it, and costs the adapter no time.
func TestLateAnswer(t *testing.T) {
	c := collector[int]{wire: &text}
	c.Expect(4)
	for n := range 3 {
		c.Reply(Encoded{Data: fmt.Append(nil, n)})
	}
	list, err := c.result()
	if err == nil {
		t.Error("no error")
	}
	list = append(list, 7)
	taken := make(chan bool)
	go func() {
		c.Reply(Encoded{Data: []byte("3")})
		close(taken)
	}()
	select {
	case <-taken:
	case <-time.After(10 * time.Second):
		t.Fatal("the adapter waits")
	}
	if want := []int{0, 1, 2, 7}; !slices.Equal(list, want) {
		t.Errorf("list %v, want %v", list, want)
	}
}

// What can't be encoded is sent to nobody.
func TestCallAllOfNonsense(t *testing.T) {
	if _, err := CallAll[int](context.Background(), newServer(t, nil), "e", make(chan int)); err == nil {
		t.Error("no error")
	}
}
