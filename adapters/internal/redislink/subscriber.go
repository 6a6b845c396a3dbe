package redislink

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Handler takes what comes by a Subscriber. Its methods are called on one goroutine.
type Handler interface {
	// Message takes a message. pattern is empty unless it has come by a pattern.
	// The arguments are valid until Message returns.
	Message(pattern, channel, payload []byte)
	// More is called before Message, and says whether further bytes are at hand after it.
	More(more bool)
	// Flush is called before each read of the connection, which may wait, and at its end.
	Flush()
	// Lost is told that the connection has ended: messages may have been missed.
	Lost()
	// Refused is told of a message that was too large, and was skipped.
	Refused(channel []byte, size int)
}

// A SubscriberOptions says what a Subscriber does.
type SubscriberOptions struct {
	Dial    func(context.Context) (net.Conn, error)
	Handler Handler
	// MaxMessage is the size of the largest message, in bytes.
	MaxMessage int
	// Sharded makes the channels shard channels, for which there are no patterns. If Redis
	// says that one of them is on another server, the connection is ended.
	Sharded bool
	// Probe is called when nothing has come for 30 s. It makes something come; if
	// nothing does within 5 s the connection is given up, and Unheard is called.
	Probe, Unheard func()
	Logger         *slog.Logger
}

// kind is that of Subscribe. That of Unsubscribe follows it.
func (o *SubscriberOptions) kind() kind {
	if o.Sharded {
		return ssubscribe
	}
	return subscribe
}

// A kind says what a change does.
type kind uint8

const (
	subscribe kind = iota
	unsubscribe
	psubscribe
	punsubscribe
	ping
	ssubscribe
	sunsubscribe
)

var words = [...]string{"SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "PING", "SSUBSCRIBE", "SUNSUBSCRIBE"}

// A change is something to be sent.
type change struct {
	kind kind
	name string // of a channel or pattern; of a ping what is answered
}

// A Subscriber keeps subscriptions on one connection, in the order in which they were
// asked for, and after an outage all of them again. Only Sync waits.
type Subscriber struct {
	o     SubscriberOptions
	wake  chan struct{} // there are changes
	ended chan struct{} // closed by run
	over  context.Context
	end   context.CancelFunc
	heard atomic.Bool // something has come since the last tick

	mu         sync.Mutex
	channels   map[string]int // how often each is wanted
	patterns   map[string]int
	changes    []change                 // for the connection
	leaving    map[string]int           // shard channels: how often they were left on the connection, without the answers
	syncs      map[string]chan struct{} // by the answer that they wait for
	pings      int                      // how many there were
	conn       net.Conn                 // nil: away, and changes are of no use
	generation int64                    // how many connections there were
}

// NewSubscriber makes a Subscriber, which runs until Close.
func NewSubscriber(o SubscriberOptions) *Subscriber {
	s := newSubscriber(o)
	go s.run()
	return s
}

func newSubscriber(o SubscriberOptions) *Subscriber {
	s := &Subscriber{
		o: o, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		channels: make(map[string]int), patterns: make(map[string]int), syncs: make(map[string]chan struct{}),
	}
	s.over, s.end = context.WithCancel(context.Background())
	return s
}

// ping makes an answer come.
func (s *Subscriber) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(change{ping, "0"})
}

// Subscribe subscribes to channels. Each call is undone by one of Unsubscribe.
func (s *Subscriber) Subscribe(channels ...string) { s.want(s.channels, s.o.kind(), channels) }

// Unsubscribe undoes Subscribe.
func (s *Subscriber) Unsubscribe(channels ...string) { s.unwant(s.channels, s.o.kind()+1, channels) }

// PSubscribe subscribes to a pattern, once: each message comes once for each pattern.
func (s *Subscriber) PSubscribe(pattern string) {
	s.want(s.patterns, psubscribe, []string{pattern})
}

// PUnsubscribe undoes PSubscribe.
func (s *Subscriber) PUnsubscribe(pattern string) {
	s.unwant(s.patterns, punsubscribe, []string{pattern})
}

func (s *Subscriber) want(set map[string]int, k kind, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if set[name]++; set[name] == 1 {
			s.change(change{k, name})
		}
	}
}

func (s *Subscriber) unwant(set map[string]int, k kind, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if set[name]--; set[name] <= 0 {
			delete(set, name)
			s.change(change{k, name})
		}
	}
}

// maxChanges is how many changes may wait: when there are more, because the broker does
// not read, another connection costs less.
const maxChanges = 1 << 18

// change queues a change. Called with mu held.
func (s *Subscriber) change(c change) {
	if s.conn == nil {
		return // all that is wanted follows when there is a connection
	}
	s.changes = append(s.changes, c)
	if c.kind == sunsubscribe {
		s.leaving[c.name]++
	}
	if len(s.changes) > maxChanges && len(s.changes) > 2*len(s.channels) {
		s.conn.Close()
		s.conn, s.changes = nil, nil
	}
	s.rouse()
}

func (s *Subscriber) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Sync waits until all that was asked for before is subscribed to.
func (s *Subscriber) Sync(ctx context.Context) error {
	s.mu.Lock()
	s.pings++
	name := strconv.Itoa(s.pings)
	done := make(chan struct{})
	s.syncs[name] = done
	s.change(change{ping, name})
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.syncs, name)
		return ctx.Err()
	case <-s.ended:
		return ErrClosed
	}
}

// pong ends a Sync.
func (s *Subscriber) pong(name []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done := s.syncs[string(name)]; done != nil {
		close(done)
		delete(s.syncs, string(name))
	}
}

// Generation returns the number of the connection, from 1 on. It is 0 while there is none.
func (s *Subscriber) Generation() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return 0
	}
	return s.generation
}

// Close ends the connection. The Handler is not called afterwards.
func (s *Subscriber) Close() {
	s.end()
	s.drop()
	<-s.ended
}

// drop ends the connection that there is.
func (s *Subscriber) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}

// run keeps a connection until Close.
func (s *Subscriber) run() {
	defer close(s.ended)
	var wait backOff
	log, away := s.o.Logger, false
	for s.over.Err() == nil {
		conn, err := s.o.Dial(s.over)
		if err != nil {
			if !away && s.over.Err() == nil {
				log.Warn("redis: subscriptions wait for the broker", "error", err)
			}
			away = true
			wait.pause(s.over)
			continue
		}
		if away {
			log.Info("redis: subscribed again")
		}
		away = false
		begin := time.Now()
		err = s.serve(conn)
		wait.after(time.Since(begin))
		if s.over.Err() == nil {
			log.Warn("redis: connection of the subscriptions has ended", "error", err)
			away = true
			s.o.Handler.Lost()
			wait.pause(s.over)
		}
	}
}

// serve reads until the connection ends.
func (s *Subscriber) serve(conn net.Conn) error {
	s.begin(conn)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { s.write(conn, stop) })
	err := s.read(conn)
	conn.Close()
	close(stop)
	writer.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.changes = nil, nil
	return err
}

// begin asks for all that is wanted on a new connection.
func (s *Subscriber) begin(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	s.generation++
	s.heard.Store(true)
	s.changes, s.leaving = nil, make(map[string]int)
	for name := range s.patterns {
		s.change(change{psubscribe, name})
	}
	for name := range s.channels {
		s.change(change{s.o.kind(), name})
	}
	for name := range s.syncs {
		s.change(change{ping, name})
	}
	if s.over.Err() != nil {
		conn.Close()
	}
}

// inCommand is how many channels one command names.
const inCommand = 1000

// commonWord returns how many changes fit one command. A command names one shard channel:
// several would have to be of the same slot.
func commonWord(changes []change) int {
	kind, n := changes[0].kind, 1
	for kind <= punsubscribe && n < len(changes) && n < inCommand && changes[n].kind == kind {
		n++
	}
	return n
}

// left notes that Redis does not send a shard channel any more. It returns false if nobody
// has asked for that: the channel has moved to another server.
func (s *Subscriber) left(channel []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.leaving[string(channel)] {
	case 0:
		return s.channels[string(channel)] == 0
	case 1:
		delete(s.leaving, string(channel))
	default:
		s.leaving[string(channel)]--
	}
	return true
}

// write sends changes until stop is closed, and watches over the connection.
func (s *Subscriber) write(conn net.Conn, stop <-chan struct{}) {
	watch := time.NewTicker(tick)
	defer watch.Stop()
	idle, probed := 0, false
	var b []byte
	for {
		select {
		case <-stop:
			return
		case <-s.wake:
			s.mu.Lock()
			changes := s.changes
			s.changes = nil
			s.mu.Unlock()
			for len(changes) > 0 {
				n := 0
				for b = b[:0]; n < len(changes) && len(b) < together; {
					next := n + commonWord(changes[n:])
					b = AppendWord(AppendCommand(b, next-n+1), words[changes[n].kind])
					for _, c := range changes[n:next] {
						b = AppendWord(b, c.name)
					}
					n = next
				}
				changes = changes[n:]
				conn.SetWriteDeadline(time.Now().Add(stalled * tick))
				if _, err := conn.Write(b); err != nil {
					conn.Close()
					<-stop
					return
				}
			}
			if cap(b) > keptBuffer {
				b = nil
			}
		case <-watch.C:
			switch {
			case s.heard.Swap(false):
				idle, probed = 0, false
			case probed:
				s.o.Unheard()
				conn.Close()
				<-stop
				return
			default:
				if idle++; time.Duration(idle)*tick >= idleTime {
					idle, probed = 0, true
					s.o.Probe()
				}
			}
		}
	}
}
