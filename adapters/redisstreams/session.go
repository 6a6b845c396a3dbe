package redisstreams

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

var (
	errSession error = &parser.Error{Reason: "session in Redis can't be read"}
	errTrimmed       = errors.New("redisstreams: the events that a client has missed are not in the stream any more")
	errMany          = errors.New("redisstreams: a client has missed more than Recovery.EventBytes")
)

// A stored session is what Redis keeps. Servers in Node have the first four fields.
type stored struct {
	SID       string         `json:"sid"`
	PID       string         `json:"pid"`
	Rooms     []string       `json:"rooms"`
	Data      map[string]any `json:"data"`
	Connected string         `json:"connected,omitempty"`
	Sent      string         `json:"sent,omitempty"`
	Lost      string         `json:"lost,omitempty"`
}

// appendSession appends a session to b as Redis keeps it: MessagePack in base64.
func appendSession(b []byte, s *socketio.Session) ([]byte, error) {
	v := stored{s.ID, s.PID, s.Rooms, s.Data, s.Connected, s.Sent, s.Lost}
	if v.Data == nil {
		v.Data = map[string]any{}
	}
	e, err := socketio.Encode(v)
	if err != nil {
		return b, err
	}
	return base64.StdEncoding.AppendEncode(b, msgpack.AppendValue(nil, e.Data, e.Attachments, e.Placeholders)), nil
}

// readSession reads a session that any server has written.
func readSession(b []byte) (s socketio.Session, err error) {
	binary, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return s, errSession
	}
	var p parser.Packet
	r := msgpack.NewReader(binary)
	if err := r.Value(&p, parser.Limits{Attachments: 1 << 16, Depth: socketio.MaxDepth + 8}); err != nil {
		return s, err
	}
	e := socketio.Encoded{Data: json.RawMessage(p.Data), Attachments: p.Binary, Placeholders: p.Placeholders}
	for i, data := range e.Attachments {
		e.Attachments[i] = bytes.Clone(data)
	}
	var v stored
	if err := e.Decode(&v); err != nil || r.Len() > 0 || v.SID == "" || v.PID == "" {
		return s, errSession
	}
	return socketio.Session{ID: v.SID, PID: v.PID, Rooms: v.Rooms, Data: v.Data, Connected: v.Connected, Sent: v.Sent, Lost: v.Lost}, nil
}

// key is where Redis keeps a session.
func key(pid string) string { return "sio:session:" + pid }

// Save implements socketio.Log.
func (l *eventLog) Save(s socketio.Session) {
	// Nothing was delivered before: from the beginning on everything was.
	if s.Connected == "" {
		s.Connected = l.begin()
	}
	if s.Lost == "" {
		s.Lost = s.Connected
	}
	value, err := appendSession(nil, &s)
	age := l.recovery.MaxAge
	switch c := l.sp.s.client.(type) {
	case *redis.ClusterClient: // the session is elsewhere than the stream
		if err != nil {
			break
		}
		select {
		case l.saving <- struct{}{}:
		default:
			l.sp.s.unsaved.Add(1)
			return
		}
		l.saves.Go(func() {
			defer func() { <-l.saving }()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if c.Set(ctx, key(s.PID), value, age).Err() != nil {
				l.sp.s.unsaved.Add(1)
			}
		})
		return
	default:
		if err != nil {
			break
		}
		b := redislink.AppendCommand(nil, 5)
		for _, word := range []string{"SET", key(s.PID), string(value), "PX", strconv.FormatInt(max(age.Milliseconds(), 1), 10)} {
			b = redislink.AppendWord(b, word)
		}
		_ = l.sp.publisher.Send(b) // which counts what it drops
		return
	}
	l.sp.s.o.Logger.Warn("redis: session can't be saved", "error", err)
}

// begin returns the position after which all events were delivered here, "" if it is not
// known.
func (l *eventLog) begin() string {
	select {
	case <-l.reader.ready:
		return l.reader.start
	default:
		return ""
	}
}

// valid reports whether an offset is the id of an entry, as Redis writes it.
func valid(id string) bool {
	ms, n := parts(id)
	return id == format(ms, n)
}

func format(ms, n uint64) string {
	return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(n, 10)
}

// Take implements socketio.Log.
func (l *eventLog) Take(ctx context.Context, pid, offset string) (s socketio.Session, ok bool, err error) {
	if offset != "" && !valid(offset) || len(pid) > maxID {
		return s, false, nil
	}
	client := l.sp.s.client
	value, err := client.Get(ctx, key(pid)).Bytes()
	if err != nil {
		return s, false, unlessNil(err)
	}
	if s, err = readSession(value); err != nil {
		return s, false, err
	}
	from := s.From(offset)
	if s.PID != pid || !valid(from) || s.Connected != "" && less(from, s.Connected) {
		return s, false, nil
	}
	if ok, err = l.has(ctx, from); !ok || err != nil {
		return s, false, err
	}
	// Only one server gets it.
	pipe := client.TxPipeline()
	taken := pipe.Get(ctx, key(pid))
	pipe.Del(ctx, key(pid))
	if _, err = pipe.Exec(ctx); err != nil {
		return s, false, unlessNil(err)
	}
	again, err := taken.Bytes()
	if err == nil && !bytes.Equal(value, again) { // it was taken and came back
		s, err = readSession(again)
	}
	return s, err == nil, err
}

func unlessNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// has reports whether the entry with an id is there, so that all are that follow. Before
// the first one nothing is missing until the stream is trimmed.
func (l *eventLog) has(ctx context.Context, id string) (bool, error) {
	if id == origin {
		n, err := l.sp.s.client.XLen(ctx, l.reader.name).Result()
		return n < int64(l.sp.s.o.MaxLen), err
	}
	list, err := l.sp.s.client.XRange(ctx, l.reader.name, id, id).Result()
	return len(list) > 0, err
}

// Resume implements socketio.Log.
func (l *eventLog) Resume(ctx context.Context, s socketio.Session, offset string, enter func(iter.Seq[socketio.Missed])) error {
	select {
	case <-l.reader.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	from := s.From(offset)
	// Events that come from now on are recorded. Those before are in the stream.
	l.mu.Lock()
	until := l.position
	if until == "" {
		until = l.reader.start
	}
	if l.resuming == 0 {
		l.recent, l.bytes = nil, 0
	}
	first := len(l.recent)
	l.resuming++
	l.mu.Unlock()
	list, err := l.missed(ctx, &s, from, until)
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if l.resuming--; l.resuming == 0 {
			l.recent, l.bytes = nil, 0
		}
	}()
	switch {
	case err != nil:
		return err
	case l.closed:
		return redislink.ErrClosed
	case l.seen < l.early:
		return errBehind // the reader would skip them, and the client has not got them
	case l.bytes > l.recovery.EventBytes:
		return errMany
	}
	list = append(list, l.recent[first:]...)
	enter(func(yield func(socketio.Missed) bool) {
		var d nodewire.Decoder
		for _, e := range list {
			if !less(from, e.id) {
				continue
			}
			m, err := d.DecodeData(cluster.Broadcast, e.uid, e.data)
			if err == nil && m.Request == "" && !m.Target.Flags.Volatile && !yield(socketio.Missed{Target: m.Target, Event: m.Event, Offset: e.id}) {
				return
			}
		}
	})
	return nil
}

// missed returns the events after from, up to until, that a session may want.
func (l *eventLog) missed(ctx context.Context, s *socketio.Session, from, until string) (list []raw, err error) {
	var d nodewire.Decoder
	count, bytes := l.sp.s.o.ReadCount, 0
	for cursor := from; ; {
		// Each page begins with the entry that the one before has ended with: if that
		// is there, so is what follows it.
		page, err := l.sp.s.client.XRangeN(ctx, l.reader.name, cursor, "+", int64(count)+1).Result()
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
			if less(until, cursor) {
				break
			}
			e, ok := l.event(&x)
			if !ok {
				continue
			}
			if m, err := d.DecodeData(cluster.Broadcast, e.uid, e.data); err != nil || !wants(s, m.Target.Rooms) {
				continue
			}
			if bytes += len(e.data) + 128; bytes > l.recovery.EventBytes {
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
	return raw{x.ID, get("uid"), []byte(get("data"))}, ok
}

func wants(s *socketio.Session, rooms []string) bool {
	return len(rooms) == 0 || slices.Contains(rooms, s.ID) ||
		slices.ContainsFunc(rooms, func(room string) bool { return slices.Contains(s.Rooms, room) })
}
