package redisstreams

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
)

// A reader reads a stream, from where it ended when the reader came. All but ready
// belongs to its goroutine.
type reader struct {
	s     *Streams
	name  string
	log   *slog.Logger
	dial  func(context.Context) (net.Conn, error)
	ready chan struct{} // closed once the position is known

	position string // the id of the last entry that was read; "": not known yet. Others read it with s.mu held
	start    string // the first position, from ready on
	gap      bool   // entries are missing after position
	done     progress
	conn     net.Conn
	answers  *redislink.Answers
	command  []byte
	entry    entry
	uid      string // of the last entry: most come from few servers
	decoder  nodewire.Decoder
	batch    socketio.Batch
}

func newReader(s *Streams, name string) *reader {
	return &reader{s: s, name: name, log: s.o.Logger.With("stream", name), dial: s.dial(name), ready: make(chan struct{})}
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	lost, attempt := false, 0
	for {
		err := r.session(ctx, func() {
			if lost {
				r.log.Info("redis: the stream is read again")
			}
			lost, attempt = false, 0
		})
		if ctx.Err() != nil {
			return
		}
		if !lost {
			r.log.Warn("redis: the stream can't be read", "error", err)
		}
		lost = true
		pause(ctx, attempt)
		attempt++
	}
}

// pause waits for a time that grows with the number of attempts, until ctx ends.
func pause(ctx context.Context, attempt int) {
	t := time.NewTimer(min(50*time.Millisecond<<min(attempt, 10), time.Second))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// session reads until the connection ends. It calls up once the position is known.
func (r *reader) session(ctx context.Context, up func()) error {
	conn, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r.conn, r.answers = conn, redislink.NewAnswers(conn, r.batch.Flush)
	if r.position == "" {
		last, err := r.last()
		if err != nil {
			return err
		}
		r.start = last
		r.move(last)
		close(r.ready)
	} else if err := r.resume(); err != nil {
		return err
	}
	up()
	for {
		from := r.position
		err := r.read(ctx)
		if r.position != from {
			r.done.set(r.position)
		}
		if err != nil {
			return err
		}
	}
}

// read waits until there are entries after position, and hands them over.
func (r *reader) read(ctx context.Context) error {
	wait := r.s.o.BlockTime
	r.command = appendCommand(r.command[:0], "XREAD", "COUNT", strconv.Itoa(r.s.o.ReadCount),
		"BLOCK", strconv.FormatInt(wait.Milliseconds(), 10), "STREAMS", r.name, r.position)
	if err := r.send(r.command, wait); err != nil {
		return err
	}
	n, err := r.answers.Array()
	if err != nil || n < 0 {
		return err // nil: there is nothing new
	}
	if err := r.head(n); err != nil {
		return err
	}
	if n, err = r.answers.Array(); err != nil {
		return err
	}
	if n >= min(r.s.o.ReadCount, r.s.o.MaxLen) {
		// There is more than can be read at once, or as much as the stream keeps. Was it too much?
		if err := r.check(ctx); err != nil {
			return err
		}
	}
	return r.entries(n, r.hand)
}

// check finds out whether entries after position were dropped before they were read: none was if
// the entry is there after which one reads. It asks before an entry is handed over, so that no
// client comes back in between without what is missing.
func (r *reader) check(ctx context.Context) error {
	if r.gap || r.position == origin {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := r.s.page(ctx, r.name, r.position, r.position, 1)
	if err == nil && len(found) == 0 {
		r.trimmed()
	}
	return err
}

var errAnswer = errors.New("redis: unexpected answer to XREAD")

// head reads what precedes the entries of a stream: an array of the stream's name and of
// the entries is the only element of an array.
func (r *reader) head(streams int) error {
	n, err := r.answers.Array()
	if err == nil && (streams != 1 || n != 2) {
		err = errAnswer
	}
	if err == nil {
		_, err = r.answers.Word(nil, len(r.name))
	}
	return err
}

// send sends commands. Redis has patience and the time that it was told to wait.
func (r *reader) send(b []byte, wait time.Duration) error {
	if err := r.conn.SetDeadline(time.Now().Add(wait + patience)); err != nil {
		return err
	}
	_, err := r.conn.Write(b)
	return err
}

// patience is how long Redis may take for an answer. A Redis that was stopped for less
// than that is only late.
const patience = 15 * time.Second

func appendCommand(b []byte, words ...string) []byte {
	b = redislink.AppendCommand(b, len(words))
	for _, word := range words {
		b = redislink.AppendWord(b, word)
	}
	return b
}

// hand hands an entry over, and moves on.
func (r *reader) hand(e *entry) {
	s := r.s
	s.mu.RLock()
	r.position = string(e.id)
	to := s.spaces[string(e.namespace)]
	s.mu.RUnlock()
	if r.gap {
		r.gap = false
		s.tell(r.name, func(l *eventLog) { l.torn(r.position) })
	}
	if to == nil {
		return // somebody else's
	}
	if to.log != nil && string(e.typ) == typeBroadcast {
		to.log.take(r.position, e)
		return
	}
	if string(e.typ) == typeTaken {
		if to.log != nil {
			to.log.tell(e)
		}
		return
	}
	if string(e.uid) == to.node.UID() {
		return
	}
	t, err := strconv.ParseUint(string(e.typ), 10, 8)
	switch {
	case e.large:
		to.receive(&r.batch, nil, errLarge)
	case err != nil || len(e.uid) == 0:
		to.receive(&r.batch, nil, errEntry)
	default:
		if r.uid != string(e.uid) {
			r.uid = string(e.uid)
		}
		m, err := r.decoder.DecodeData(cluster.Type(t), r.uid, e.data)
		to.receive(&r.batch, m, err)
	}
}

// move sets the position.
func (r *reader) move(id string) {
	r.s.mu.RLock()
	defer r.s.mu.RUnlock()
	r.position = id
	r.done.set(id)
}

// last returns the id of the last entry.
func (r *reader) last() (id string, err error) {
	if err := r.send(appendCommand(r.command[:0], "XREVRANGE", r.name, "+", "-", "COUNT", "1"), 0); err != nil {
		return "", err
	}
	id = origin
	n, err := r.answers.Array()
	if err == nil {
		err = r.entries(n, func(e *entry) { id = string(e.id) })
	}
	return id, err
}

// has reports whether an entry is there.
func (r *reader) has(id string) (bool, error) {
	if err := r.send(appendCommand(r.command[:0], "XRANGE", r.name, id, id), 0); err != nil {
		return false, err
	}
	n, err := r.answers.Array()
	if err == nil {
		err = r.entries(n, nil)
	}
	return n > 0, err
}

// resume finds out whether the stream still is what it was: then nothing was missed.
func (r *reader) resume() error {
	if ok, err := r.has(r.position); ok || err != nil {
		return err
	}
	last, err := r.last()
	if err != nil {
		return err
	}
	switch {
	case less(last, r.position):
		// Redis has forgotten the stream, or what it had last.
		r.move(last)
		r.s.tell(r.name, func(l *eventLog) { l.rewind(last) })
		r.gap = false
		r.lost("the stream has begun anew")
	case r.position != origin && !r.gap:
		// The entries after position are there, or others after those.
		r.trimmed()
	}
	return nil
}

// trimmed is called when entries after position were dropped before they were read. Clients
// that come back are told by the next entry that some are missing: until that one is handed over
// they miss no more than clients that are connected.
func (r *reader) trimmed() {
	r.gap = true
	r.lost("the stream was trimmed before it was read")
}

func (r *reader) lost(why string) {
	r.s.gaps.Add(1)
	r.log.Warn("redis: " + why)
}
