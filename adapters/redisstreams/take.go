package redisstreams

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
)

// Save implements socketio.Log.
func (l *eventLog) Save(s socketio.Session) {
	l.settle(&s)
	if l.lives != nil {
		l.lives.save(s)
		return
	}
	value, err := appendSession(nil, &s, "")
	if err != nil {
		l.unsavable(err)
		return
	}
	b := redislink.AppendCommand(nil, 5)
	for _, word := range []string{"SET", key(s.PID), string(value), "PX", strconv.FormatInt(max(l.recovery.MaxAge.Milliseconds(), 1), 10)} {
		b = redislink.AppendWord(b, word)
	}
	_ = l.sp.publisher.Send(b) // which counts what it drops
}

func (l *eventLog) unsavable(err error) {
	l.sp.s.o.Logger.Warn("redis: session can't be saved", "namespace", l.Local().Name(), "error", err)
}

// settle completes what is known of a client that was lost. If nothing was delivered in
// its namespace since, it has missed nothing up to where the stream is read now: so a
// client of a namespace where little happens does not need an old entry.
func (l *eventLog) settle(s *socketio.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := l.reader.done.position()
	if s.Lost == l.told && done != "" {
		o, _ := parseOffset(l.told) // an empty one, if nothing was delivered ever
		s.Lost = l.offset(later(o.id, done))
	}
	l.begin(s)
}

// begin completes a session. If nothing was delivered before, everything was from the
// beginning on.
func (l *eventLog) begin(s *socketio.Session) {
	if s.Connected == "" {
		select {
		case <-l.reader.ready:
			s.Connected = l.reader.start
		default: // it can't be resumed
		}
	}
	if s.Lost == "" {
		s.Lost = s.Connected
	}
}

// Take implements socketio.Log.
func (l *eventLog) Take(ctx context.Context, pid, given string) (s socketio.Session, ok bool, err error) {
	if _, valid := parseOffset(given); given != "" && !valid || len(pid) > maxID {
		return s, false, nil
	}
	if l.lives != nil {
		if err := l.lives.saved(ctx, pid); err != nil {
			return s, false, err
		}
	}
	value, err := l.find(ctx, pid)
	if len(value) == 0 || err != nil {
		return s, false, err
	}
	for range 3 {
		s, own, err := readSession(value)
		if err != nil {
			return s, false, err
		}
		if ok, err := l.takeable(ctx, &s, pid, given); !ok || err != nil {
			return s, false, err
		}
		if l.lives == nil {
			now, ok, err := l.remove(ctx, pid)
			if ok && err == nil && !bytes.Equal(value, now) { // it was taken, and came back
				s, _, err = readSession(now)
			}
			return s, ok && err == nil, err
		}
		if ok, err = l.lives.claim(ctx, &s, value, own); ok || err != nil {
			return s, ok, err
		}
		// The server that had the client has saved it, or another one was faster.
		var now string
		if value, err = l.get(ctx, pid); err != nil || len(value) == 0 {
			return s, false, err
		}
		if _, now, err = readSession(value); err != nil || now != "" && now != own {
			return s, false, err
		}
	}
	return s, false, nil
}

// get returns what Redis keeps of a session, nothing if there is none or if it is too large.
func (l *eventLog) get(ctx context.Context, pid string) ([]byte, error) {
	limit := int64(l.sp.s.o.MaxMessage)
	value, err := redislink.Within(ctx, func(ctx context.Context) ([]byte, error) {
		return l.sp.s.client.GetRange(ctx, key(pid), 0, limit).Bytes()
	})
	if int64(len(value)) > limit {
		return nil, errSession
	}
	return value, err
}

// patient is how long, together, a session may take to follow its client. Of clients that
// came back from a node that was shut down, on a busy machine, one in some 800 was faster than
// its session.
var patient = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 75 * time.Millisecond, 200 * time.Millisecond}

// find is get. The server that the client has left may be about to save the session.
func (l *eventLog) find(ctx context.Context, pid string) (value []byte, err error) {
	value, err = l.get(ctx, pid)
	for _, wait := range patient {
		if len(value) > 0 || err != nil {
			break
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
			value, err = l.get(ctx, pid)
		case <-ctx.Done():
			err = ctx.Err()
		}
		t.Stop()
	}
	return value, err
}

// takeable reports whether all that a client may have missed is there. What the client has
// had before its entry comes counts as before its connection from now on: so it does not get
// that again wherever it goes.
func (l *eventLog) takeable(ctx context.Context, s *socketio.Session, pid, given string) (bool, error) {
	from, ok := parseOffset(s.From(given))
	if s.PID != pid || !ok {
		return false, nil
	}
	first, ok := parseOffset(s.Connected)
	if ok && less(from.id, first.id) {
		return false, nil
	}
	if ok && from.n > 0 {
		s.Connected = offset{first.id, from.uid, from.n}.String()
	}
	return l.has(ctx, from.id)
}

// remove takes a session away, of which only one server gets it.
func (l *eventLog) remove(ctx context.Context, pid string) (value []byte, ok bool, err error) {
	value, err = redislink.Within(ctx, func(ctx context.Context) ([]byte, error) {
		pipe := l.sp.s.client.TxPipeline()
		taken := pipe.GetRange(ctx, key(pid), 0, int64(l.sp.s.o.MaxMessage))
		pipe.Del(ctx, key(pid))
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		return taken.Bytes()
	})
	return value, len(value) > 0, err
}

// has reports whether the entry with an id is there, so that all are that follow. Before
// the first one nothing is missing until the stream is trimmed.
func (l *eventLog) has(ctx context.Context, id string) (bool, error) {
	if id == origin {
		n, err := redislink.Within(ctx, func(ctx context.Context) (int64, error) { return l.sp.s.client.XLen(ctx, l.reader.name).Result() })
		return n < int64(l.sp.s.o.MaxLen), err
	}
	list, err := l.sp.s.page(ctx, l.reader.name, id, id, 1)
	return len(list) > 0, err
}
