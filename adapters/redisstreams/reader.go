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
	missing  string // a position whose entry is known to be missing
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
	var check []string
	for {
		from := r.position
		n, missing, err := r.read(check)
		if r.position != from {
			r.done.set(r.position)
		}
		for range missing {
			r.torn()
		}
		switch {
		case err != nil:
			return err
		case n < r.s.o.ReadCount:
			check = nil
		// There is more than can be read at once. Was it too much for the stream?
		case len(check) == 0 && from != origin && from != r.missing:
			check = []string{from, r.position}
		default:
			check = []string{r.position}
		}
	}
}

// read reads the entries that follow position, and hands them over. If there are entries
// to check, it also finds out how many of them are missing: nothing was missed if the entry
// is there after which one reads. Otherwise it waits until there is something to read.
func (r *reader) read(check []string) (n, missing int, err error) {
	b := r.command[:0]
	for _, id := range check {
		b = appendCommand(b, "XRANGE", r.name, id, id)
	}
	count := strconv.Itoa(r.s.o.ReadCount)
	wait := time.Duration(0)
	if len(check) > 0 {
		b = appendCommand(b, "XREAD", "COUNT", count, "STREAMS", r.name, r.position)
	} else {
		wait = r.s.o.BlockTime
		b = appendCommand(b, "XREAD", "COUNT", count, "BLOCK", strconv.FormatInt(wait.Milliseconds(), 10), "STREAMS", r.name, r.position)
	}
	r.command = b
	if err := r.send(b, wait); err != nil {
		return 0, 0, err
	}
	for range check {
		found, err := r.entries(nil)
		if err != nil {
			return 0, missing, err
		}
		if found == 0 {
			missing++
		}
	}
	n, err = r.answers.Array()
	if err != nil || n < 0 {
		return 0, missing, err // nil: there is nothing new
	}
	if err := r.head(n); err != nil {
		return 0, missing, err
	}
	n, err = r.entries(r.hand)
	return n, missing, err
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
	_, err = r.entries(func(e *entry) { id = string(e.id) })
	if err != nil {
		return "", err
	}
	return id, nil
}

// has reports whether an entry is there.
func (r *reader) has(id string) (bool, error) {
	if err := r.send(appendCommand(r.command[:0], "XRANGE", r.name, id, id), 0); err != nil {
		return false, err
	}
	n, err := r.entries(nil)
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
		r.gap("the stream has begun anew")
	case r.position != origin:
		// The entries after position are there, or others after those.
		r.missing = r.position
		r.torn()
	}
	return nil
}

// torn is called when entries were dropped before they were read.
func (r *reader) torn() {
	r.s.tell(r.name, func(l *eventLog) { l.torn(r.position) })
	r.gap("the stream was trimmed before it was read")
}

func (r *reader) gap(why string) {
	r.s.gaps.Add(1)
	r.log.Warn("redis: " + why)
}
