package natsadapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/parleyws/parley/socketio"
)

// JetStream makes clients come back to any node, with socketio.Options.Recovery: NATS
// keeps their sessions and what they have missed. It needs servers of version 2.11 or
// later with JetStream. All nodes must have the same JetStream, and the same Recovery.
//
// There are two streams, which are made when they are needed. Their names are
// Options.Prefix in capitals, without what a name of a stream can't have, and EVENTS or
// SESSIONS. A stream that exists is used as it is: a change of these options has an effect
// once the streams have been deleted.
type JetStream struct {
	// Replicas is how many servers have the streams, 1, 3 or 5. With one, everything is
	// lost with that server; with three, one of them may be away. Default 1.
	Replicas int
	// File keeps the streams in files. Without, they are in memory, and clients that
	// were away when the last server with it was restarted connect anew.
	File bool
	// Age is how long an event is kept. Default twice Recovery.MaxAge. A client may come
	// back for Recovery.MaxAge in any case, and finds what it has missed if that is kept.
	Age time.Duration
	// Events and Bytes are how many events are kept at most, those of all namespaces
	// together, and their size. Default 1,000,000 and 256 MiB.
	Events, Bytes int64
}

var errJetStream = errors.New("natsadapter: Replicas, Age, Events or Bytes of JetStream out of range")

// resolve returns a copy with every default filled in, but for Age.
func (o *JetStream) resolve() (*JetStream, error) {
	if o == nil {
		return nil, nil
	}
	c := *o
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Events == 0 {
		c.Events = 1_000_000
	}
	if c.Bytes == 0 {
		c.Bytes = 256 << 20
	}
	if c.Replicas < 1 || c.Replicas > 5 || c.Age < 0 || c.Events < 0 || c.Bytes < 0 {
		return nil, errJetStream
	}
	return &c, nil
}

// streamName returns the name of a stream. Prefixes that differ have names that differ.
func streamName(prefix, what string) string {
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, prefix)
	if name != prefix {
		sum := sha256.Sum256([]byte(prefix))
		name += "_" + hex.EncodeToString(sum[:4])
	}
	return strings.ToUpper(name + "_" + what)
}

// Ages of what is kept, if the clients may come back for a time.
func (o *JetStream) ages(r socketio.Recovery) (events, sessions time.Duration) {
	age := min(r.MaxAge, maxAway)
	events = o.Age
	if events == 0 {
		events = 2 * age
	}
	return max(events, time.Second), max(refreshes*age, time.Second)
}

const (
	maxAway   = 24 * time.Hour // for how long clients may come back, at most
	refreshes = 3              // the session of a connected client is written again after a third of its age
)

// eventStream returns the stream of events. Its sequence numbers begin with one that no stream
// before has reached, so that an offset of that stream is known to be too old.
func (g *logging) eventStream(first uint64) jetstream.StreamConfig {
	c := g.config(g.events, g.c.subjects.logged(), g.age, first)
	c.MaxMsgs, c.MaxBytes, c.AllowDirect = g.o.Events, g.o.Bytes, true
	c.RePublish = &jetstream.RePublish{Source: g.c.subjects.logged(), Destination: g.c.subjects.namespaces()}
	return c
}

// sessionStream returns the stream of sessions: the last message on the subject of a
// client is its session, and an empty one that it has none.
func (g *logging) sessionStream(first uint64) jetstream.StreamConfig {
	c := g.config(g.sessions, g.c.subjects.sessions(), g.sessionAge, first)
	c.MaxMsgsPerSubject = 1
	return c
}

func (g *logging) config(name, subject string, age time.Duration, first uint64) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, MaxAge: age, FirstSeq: first, Replicas: g.o.Replicas,
		Storage: jetstream.MemoryStorage, Discard: jetstream.DiscardOld, Duplicates: min(age, 100*time.Millisecond),
	}
	if g.o.File {
		c.Storage = jetstream.FileStorage
	}
	return c
}

// ensure returns a stream, which it makes if it is not there.
func (g *logging) ensure(ctx context.Context, c jetstream.StreamConfig) (s jetstream.Stream, made bool, err error) {
	s, err = g.js.Stream(ctx, c.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		made = true
		if s, err = g.js.CreateStream(ctx, c); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = g.js.Stream(ctx, c.Name) // another node was faster
		}
	}
	if err != nil {
		return nil, false, err
	}
	got := s.CachedInfo().Config
	if len(got.Subjects) != 1 || got.Subjects[0] != c.Subjects[0] || (got.RePublish == nil) != (c.RePublish == nil) ||
		got.RePublish != nil && (*got.RePublish != *c.RePublish || !got.AllowDirect) {
		return nil, false, fmt.Errorf("natsadapter: stream %s has other subjects", c.Name)
	}
	return s, made, nil
}
