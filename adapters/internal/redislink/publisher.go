package redislink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull is the error of a command for which there is no room in the queue.
var ErrFull = errors.New("redis: the broker is away or slow: what is published is dropped")

// ErrClosed is the error of what is closed.
var ErrClosed = errors.New("redis: closed")

const (
	// together is how many bytes are sent although earlier commands are not answered:
	// with fewer the writer waits for the answers, up to patience, so that what is
	// published meanwhile leaves in one piece. That halves what a message costs the
	// broker and the node under load, and delays nothing without.
	together = 64 << 10
	patience = time.Millisecond

	tick     = 5 * time.Second  // how often a connection is looked at
	idleTime = 30 * time.Second // after which one is probed
	stalled  = 3                // ticks without an answer, after which one is given up
)

// A Publisher sends commands in their order on one connection. While there is none, or
// while it is slow, commands wait in a queue that is bounded in bytes. A command is
// sent at most once.
type Publisher struct {
	dial  func(context.Context) (net.Conn, error)
	limit int
	log   *slog.Logger
	wake  chan struct{} // something is queued, or closed is set
	ended chan struct{} // closed by run
	over  context.Context
	end   context.CancelFunc

	sent, dropped atomic.Int64

	mu      sync.Mutex
	queue   []byte // commands
	count   int    // of the queue
	total   int64  // how many commands were ever queued
	done    int64  // how many of these have been answered or dropped
	waiting []waiter
	conn    net.Conn      // nil: away
	up      chan struct{} // closed while there is a connection
	closed  bool

	// The writer's:
	batch   []byte // what is being sent, or has been taken back
	inBatch int    // commands of batch
}

// A waiter waits until so many commands are done.
type waiter struct {
	at   int64
	done chan struct{}
}

// NewPublisher makes a Publisher whose queue is bounded by limit bytes. It runs until
// Close.
func NewPublisher(dial func(context.Context) (net.Conn, error), limit int, log *slog.Logger) *Publisher {
	p := &Publisher{dial: dial, limit: limit, log: log, wake: make(chan struct{}, 1), ended: make(chan struct{}), up: make(chan struct{})}
	p.over, p.end = context.WithCancel(context.Background())
	go p.run()
	return p
}

// Send queues a command, which AppendPublish or AppendCommand has written; it keeps
// nothing of it. It never waits.
func (p *Publisher) Send(command []byte) error {
	p.mu.Lock()
	if p.closed || len(p.queue)+len(command) > p.limit {
		closed := p.closed
		p.mu.Unlock()
		p.dropped.Add(1)
		if closed {
			return ErrClosed
		}
		return ErrFull
	}
	first := p.count == 0
	p.queue = append(p.queue, command...)
	p.count++
	p.total++
	p.mu.Unlock()
	if first {
		p.rouse()
	}
	return nil
}

func (p *Publisher) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Counts returns how many commands the broker has answered, and how many were dropped:
// because the queue was full, because the broker has refused them, or because the
// connection has ended before they were answered; these may have arrived.
func (p *Publisher) Counts() (sent, dropped int64) { return p.sent.Load(), p.dropped.Load() }

// Flush waits until what was queued before is answered or dropped.
func (p *Publisher) Flush(ctx context.Context) error {
	p.mu.Lock()
	if p.done >= p.total {
		p.mu.Unlock()
		return nil
	}
	w := waiter{p.total, make(chan struct{})}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return ErrClosed
	}
}

// Ready waits until there is a connection.
func (p *Publisher) Ready(ctx context.Context) error {
	p.mu.Lock()
	up := p.up
	p.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return ErrClosed
	}
}

// Up reports whether there is a connection, as far as is known.
func (p *Publisher) Up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn != nil
}

// Reset ends the connection, so that another one is made.
func (p *Publisher) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		p.conn.Close()
	}
}

// Close sends what is queued and ends the connection. If ctx ends first it drops what
// is left and returns the error of ctx.
func (p *Publisher) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.Flush(ctx)
	p.end()
	p.Reset()
	<-p.ended
	if errors.Is(err, ErrClosed) {
		return nil // it was closed before
	}
	return err
}

// settle notes that n commands are done.
func (p *Publisher) settle(n int) {
	if n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	left := p.waiting[:0]
	for _, w := range p.waiting {
		if w.at <= p.done {
			close(w.done)
		} else {
			left = append(left, w)
		}
	}
	clear(p.waiting[len(left):])
	p.waiting = left
}

// run keeps a connection until Close.
func (p *Publisher) run() {
	defer close(p.ended)
	var wait backOff
	away := false
	for p.over.Err() == nil {
		conn, err := p.dial(p.over)
		if err != nil {
			if !away && p.over.Err() == nil {
				p.log.Warn("redis: publishing waits for the broker", "error", err)
			}
			away = true
			if !wait.pause(p.over) {
				break
			}
			continue
		}
		if away {
			p.log.Info("redis: publishing again")
		}
		away = false
		p.hold(conn)
		begin := time.Now()
		err = p.serve(conn)
		p.hold(nil)
		wait.after(time.Since(begin))
		if p.over.Err() == nil {
			p.log.Warn("redis: connection for publishing has ended", "error", err)
			away = true
			wait.pause(p.over)
		}
	}
	p.mu.Lock()
	left := p.count + p.inBatch
	p.count, p.queue = 0, nil
	p.mu.Unlock()
	p.dropped.Add(int64(left))
	p.settle(left)
}

// hold makes conn the one that Reset closes, nil for none.
func (p *Publisher) hold(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
	if conn == nil {
		p.up = make(chan struct{})
		return
	}
	close(p.up)
	if p.over.Err() != nil {
		conn.Close()
	}
}
