package natsadapter

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/parleyws/parley/socketio"
)

// In tests they are longer.
var (
	takeTime = 2 * time.Second        // that JetStream gets to answer
	lateTime = 250 * time.Millisecond // that a session may come after its client
)

const (
	claimTime = time.Second          // that a node may take to write one that it has taken
	lateTick  = 5 * time.Millisecond // between two attempts to find it
)

// Take implements socketio.Log. A session that is not there may be on its way: its node
// writes it when the client is lost, and a node that has taken it writes it at once.
func (l *eventLog) Take(ctx context.Context, pid, offset string) (socketio.Session, bool, error) {
	if !isPID(pid) {
		return socketio.Session{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	for began := time.Now(); ; {
		patience := lateTime
		switch l.g.state.Load() {
		case asking:
			patience = takeTime
		case away:
			return socketio.Session{}, false, nil
		case ready:
			f, err := l.find(ctx, pid, offset)
			switch {
			case err != nil:
				l.g.doubt()
				return socketio.Session{}, false, err
			case f.refused:
				return socketio.Session{}, false, nil
			case f.claimed:
				patience = claimTime
			case f.revision > 0:
				if ok, err := l.claim(ctx, &f); ok || err != nil {
					return f.session, ok, err
				}
			}
		}
		if time.Since(began) > patience || !pause(ctx, lateTick) {
			return socketio.Session{}, false, nil
		}
	}
}

// claim takes a session, unless it has been written or taken since it was found.
func (l *eventLog) claim(ctx context.Context, f *found) (bool, error) {
	m := nats.Msg{Subject: l.sessions.subject + f.session.PID, Data: claimMark}
	ack, err := l.g.js.PublishMsg(ctx, &m, jetstream.WithExpectLastSequencePerSubject(f.revision))
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && (e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || e.ErrorCode == codeBusy) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s := &l.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims == nil {
		s.claims = make(map[string]claim)
	}
	s.claims[f.session.ID] = claim{ack.Sequence, time.Now()}
	return true, nil
}

// codeBusy is JetStream's code for a message whose subject another one is on its way to,
// with replicas.
const codeBusy = 10164

// pause waits. It returns false if ctx ends meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A found is what is known of a client that wants to come back. Its zero value is nothing.
type found struct {
	session  socketio.Session
	revision uint64
	claimed  bool // another node has taken it
	refused  bool // it can't come back
}

// find looks for a session, and whether all is there that its client may have missed.
func (l *eventLog) find(ctx context.Context, pid, offset string) (f found, err error) {
	m, err := (*l.g.places.Load()).GetLastMsgForSubject(ctx, l.sessions.subject+pid)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return found{}, nil
	case err != nil:
		return found{}, err
	case len(m.Data) == 0:
		return found{refused: true}, nil
	case string(m.Data) == string(claimMark):
		return found{claimed: true}, nil
	}
	s, ended, err := readSession(m.Data)
	if err != nil {
		return found{}, err
	}
	connected, known := parsePlace(s.Connected)
	from, valid := parsePlace(s.From(offset))
	if s.PID != pid || !known || !valid || from.sequence < connected.sequence || ended && time.Since(m.Time) > min(l.recovery.MaxAge, maxAway) {
		return found{refused: true}, nil
	}
	ok, err := l.has(ctx, from.sequence)
	return found{session: s, revision: m.Sequence, refused: !ok}, err
}

// has reports whether all events are in the stream that follow a place.
func (l *eventLog) has(ctx context.Context, place uint64) (bool, error) {
	stream := *l.g.stream.Load()
	hole, err := stream.GetLastMsgForSubject(ctx, l.n.log+holeToken)
	if err == nil && hole.Sequence > place {
		return false, nil
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return false, err
	}
	return place+1 >= info.State.FirstSeq && place <= info.State.LastSeq, nil
}
