package redislink

import (
	"net"
	"sync/atomic"
	"time"
)

// A flow is one connection of a Publisher.
type flow struct {
	p        *Publisher
	conn     net.Conn
	written  atomic.Int64  // commands
	answered atomic.Int64  // of these
	all      chan struct{} // all that is written is answered
	dead     chan struct{} // closed when nothing more can be read, with err
	err      error
	ping     atomic.Int64 // commands that are no caller's, not answered yet
}

// serve sends what is queued until the connection ends. Commands of which the broker
// may have seen something are then dropped unless they were answered.
func (p *Publisher) serve(conn net.Conn) error {
	f := &flow{p: p, conn: conn, all: make(chan struct{}, 1), dead: make(chan struct{})}
	go f.read()
	err := f.write()
	conn.Close()
	<-f.dead
	if err == nil || f.err == errRESP {
		err = f.err
	}
	lost := f.written.Load() - f.answered.Load() - f.ping.Load()
	p.dropped.Add(lost)
	p.settle(int(lost))
	return err
}

// write sends batches. It returns nil if the reader has failed.
func (f *flow) write() error {
	p := f.p
	watch := time.NewTicker(tick)
	defer watch.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var before, idle, still int64
	for {
		if p.inBatch == 0 {
			select {
			case <-f.dead:
				return nil
			case <-p.wake:
				if !f.gather(timer) {
					return nil
				}
			case <-watch.C:
				answered := f.answered.Load()
				idle, still = idle+1, still+1
				if answered != before || f.written.Load() == answered {
					still = 0
				}
				if answered != before {
					idle = 0
				}
				if before = answered; still >= stalled {
					return errStalled
				}
				if time.Duration(idle)*tick >= idleTime {
					idle = 0
					f.ping.Add(1)
					f.written.Add(1)
					f.conn.SetWriteDeadline(time.Now().Add(stalled * tick))
					if _, err := f.conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
						return err
					}
				}
				continue
			}
		}
		select {
		case <-f.dead: // the batch is for the next connection
			return nil
		default:
		}
		if err := f.send(); err != nil {
			return err
		}
	}
}

// gather waits for the answers to what was sent, so that more leaves at once, and takes
// what is queued. It returns false if the connection has ended.
func (f *flow) gather(timer *time.Timer) bool {
	p := f.p
	p.mu.Lock()
	few := len(p.queue) < together
	p.mu.Unlock()
	if few && f.written.Load() != f.answered.Load() {
		timer.Reset(patience)
		for f.written.Load() != f.answered.Load() {
			select {
			case <-f.all:
				continue
			case <-timer.C:
			case <-f.dead:
				p.rouse()
				return false
			}
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batch, p.queue = p.queue, p.batch[:0]
	if cap(p.queue) > keptBuffer {
		p.queue = nil
	}
	p.inBatch, p.count = p.count, 0
	return true
}

// send writes the batch. What can't have arrived stays in it for the next connection.
func (f *flow) send() error {
	p := f.p
	count := p.inBatch
	f.written.Add(int64(count))
	f.conn.SetWriteDeadline(time.Now().Add(stalled * tick))
	n, err := f.conn.Write(p.batch)
	if err == nil {
		p.inBatch = 0
		return nil
	}
	rest, before := unsent(p.batch, n)
	f.written.Add(int64(before - count))
	p.inBatch = count - before
	p.batch = append(p.batch[:0], rest...)
	return err
}

// read counts the answers. Those that are errors count as dropped.
func (f *flow) read() {
	defer close(f.dead)
	r := newReplies(f.conn, 4<<10)
	told := false
	for {
		answers, good, pings := 0, 0, 0
		for {
			line, err := r.line()
			if err != nil {
				f.err = err
				f.settle(answers, good, pings)
				return
			}
			switch line[0] {
			case '+': // PONG, or OK: what SET answers
				if string(line) == "+OK" {
					good++
				} else {
					pings++
				}
			case '$': // what XADD answers
				n, err := number(line)
				if err == nil && n >= 0 && n <= maxLine {
					_, err = r.r.Discard(n + 2)
				}
				if err != nil {
					f.err = err
					f.settle(answers, good, pings)
					return
				}
				good++
			case ':':
				good++
			case '-':
				if elsewhere(line) { // whoever dials finds out where
					f.err = errElsewhere
					f.settle(answers, good, pings)
					return
				}
				if !told {
					told = true
					f.p.log.Error("redis: the broker refuses what is published", "error", string(line[1:]))
				}
			default:
				f.err = errRESP
				f.settle(answers, good, pings)
				return
			}
			answers++
			if r.r.Buffered() == 0 {
				break
			}
		}
		f.settle(answers, good, pings)
	}
}

// settle notes that so many answers have come.
func (f *flow) settle(answers, good, pings int) {
	f.ping.Add(-int64(pings))
	f.p.sent.Add(int64(good))
	f.p.dropped.Add(int64(answers - good - pings))
	f.p.settle(answers - pings)
	if f.answered.Add(int64(answers)) == f.written.Load() {
		select {
		case f.all <- struct{}{}:
		default:
		}
	}
}
