package socketio

import (
	"context"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
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
	ofClient := ClientLimits{JoinTimeout: 45 * time.Second, BufferEvents: 10000, BufferBytes: 16777216, Attachments: 10,
		AttachmentBytes: 33554432, AttachmentTimeout: 30 * time.Second, PendingAcks: 1024, HandlerQueueBytes: 4194304}
	if got := (ClientLimits{}).withDefaults(new(engineio.DialLimits)); got != ofClient {
		t.Errorf("ClientLimits: %+v, want %+v", got, ofClient)
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

// What can't be encoded is sent to nobody.
func TestCallAllOfNonsense(t *testing.T) {
	if _, err := CallAll[int](context.Background(), newServer(t, nil), "e", make(chan int)); err == nil {
		t.Error("no error")
	}
}
