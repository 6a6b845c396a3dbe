package redisstreams

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

var (
	errTrimmed = errors.New("redisstreams: the events that a client has missed are not in the stream any more")
	errMany    = errors.New("redisstreams: a client has missed more than Recovery.EventBytes")
	errAhead   = errors.New("redisstreams: more than Recovery.EventBytes of events of this server are not in the stream yet")
)

// Resume implements socketio.Log. What the client has received must have been delivered
// here too: otherwise it would come again.
func (l *eventLog) Resume(ctx context.Context, s socketio.Session, given string, enter func(iter.Seq[socketio.Missed])) error {
	from, ok := parseOffset(s.From(given))
	if !ok {
		return errSession
	}
	before, _ := parseOffset(s.Connected)
	if err := l.reader.done.reach(ctx, from.id); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list, until, err := l.before(ctx, &s, from.id)
	switch {
	case err != nil:
		return err
	case l.closed:
		return redislink.ErrClosed
	case l.seen < l.dropped:
		return errAhead
	}
	list = slices.Concat(list, l.tail.wanted(&l.decoder, &s, until), l.ahead)
	last := later(l.reader.done.position(), l.position)
	l.hold(s.ID, from)
	l.hold(s.ID, before)
	enter(func(yield func(socketio.Missed) bool) {
		var d nodewire.Decoder
		for _, e := range list {
			if from.covers(&e) || before.covers(&e) {
				continue
			}
			at := offset{e.id, from.uid, from.n}
			if e.id == "" { // all that is in the stream comes before
				at = offset{last, e.uid, e.number}
			}
			m, err := d.DecodeData(cluster.Broadcast, e.uid, e.data)
			if err == nil && m.Request == "" && !m.Target.Flags.Volatile && !yield(socketio.Missed{Target: m.Target, Event: m.Event, Offset: at.String()}) {
				return
			}
		}
	})
	return nil
}

// before returns the events after from, up to until, that a session may want and that are not
// in the tail: they are in the stream. Called with mu held, which it unlocks while it reads.
// What the tail drops meanwhile is read too, up to where the stream is now, so that the tail
// may drop all that it has before more is to be read.
func (l *eventLog) before(ctx context.Context, s *socketio.Session, from string) (list []raw, until string, err error) {
	if l.tail.from == "" {
		l.tail.from = l.reader.start // it is known, since the reader has come to some position
	}
	for until, to := from, l.tail.from; ; until, to = to, later(l.tail.from, l.position) {
		if !less(until, l.tail.from) {
			return list, until, nil
		}
		func() {
			l.mu.Unlock()
			defer l.mu.Lock() // also if a hook of the client's panics
			list, err = l.missed(ctx, s, list, until, to)
		}()
		if err != nil {
			return nil, until, err
		}
	}
}

// missed appends the events after from, up to until, that a session may want. It reads them
// from Redis: what many clients want is better in the tail.
func (l *eventLog) missed(ctx context.Context, s *socketio.Session, list []raw, from, until string) ([]raw, error) {
	var d nodewire.Decoder
	count, bytes := l.sp.s.o.ReadCount, 0
	for i := range list {
		bytes += list[i].size()
	}
	for cursor := from; ; {
		// Each page begins with the entry that the one before has ended with: if that
		// is there, so is what follows it.
		page, err := l.sp.s.page(ctx, l.reader.name, cursor, until, count+1)
		if err != nil {
			return nil, err
		}
		full := len(page) > count
		if cursor != origin {
			if len(page) == 0 || page[0].ID != cursor {
				return nil, errTrimmed
			}
			page = page[1:]
		}
		for _, x := range page {
			cursor = x.ID
			e, ok := l.event(&x)
			if !ok {
				continue
			}
			if m, err := d.DecodeData(cluster.Broadcast, e.uid, e.data); err != nil || !wants(s, m.Target.Rooms) {
				continue
			}
			if bytes += e.size(); bytes > l.recovery.EventBytes {
				return nil, errMany
			}
			list = append(list, e)
		}
		if full && less(cursor, until) {
			continue
		}
		if from == origin {
			if ok, err := l.has(ctx, origin); !ok || err != nil {
				return nil, errors.Join(errTrimmed, err)
			}
		}
		return list, nil
	}
}

// event returns an entry if it is an event of the namespace.
func (l *eventLog) event(x *redis.XMessage) (raw, bool) {
	get := func(name string) string { s, _ := x.Values[name].(string); return s }
	ok := get("nsp") == l.Local().Name() && get("type") == typeBroadcast && len(get("data")) <= l.sp.s.o.MaxMessage
	number, _ := strconv.ParseUint(get("n"), 10, 64)
	return raw{id: x.ID, uid: get("uid"), number: number, data: []byte(get("data"))}, ok
}

func wants(s *socketio.Session, rooms []string) bool {
	return len(rooms) == 0 || slices.Contains(rooms, s.ID) ||
		slices.ContainsFunc(rooms, func(room string) bool { return slices.Contains(s.Rooms, room) })
}
