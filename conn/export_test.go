package conn

import (
	"context"
	"testing"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/internal/race"
)

const raceEnabled = race.Enabled

// RaceEnabled tells the tests that they run under the race detector.
const RaceEnabled = raceEnabled

// ServeContext returns what Server gives to Serve.
func ServeContext(c *Conn) context.Context { return connContext{c} }

func init() { pool.Poison = true }

// Unpoisoned keeps what poison costs out of a benchmark.
func Unpoisoned(b *testing.B) {
	pool.Poison = false
	b.Cleanup(func() { pool.Poison = true })
}

func init() {
	check := (*life).check
	checkLife.Store(&check)
}

// must returns v of a call that can't fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// LateTime is how long a read may take after a write has failed.
const LateTime = lateTime

// Causes that are matched by os.ErrDeadlineExceeded outside.
var (
	ErrDeadPeer = errDeadPeer
	ErrStalled  = errStalled
)

// SetRandom makes f the source of r's jitter, with numbers in [0, 1).
func SetRandom(r *Redialer, f func() float64) { r.random = f }

func init() { pipe.Loop() }

// UseLoop makes a loop serve all connections of the tests that one can serve: in memory, in
// bubbles too, or over sockets.
func UseLoop() {
	defaultLoop = func() *Loop { return &Loop{} }
}

// Corks returns how many hold back what c sends.
func Corks(c *Conn) int { return int(c.out.corks.Load()) }

// LoopConns returns how many connections l counts.
func LoopConns(l *Loop) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns
}

// A funcs is a Receiver made of functions.
type funcs struct {
	message func(Message) error
	ended   func(error)
}

func (f funcs) Message(_ *Conn, m Message) error { return f.message(m) }
func (f funcs) Ended(_ *Conn, err error)         { f.ended(err) }

// Receive has f and ended take what comes on c.
func Receive(c *Conn, f func(Message) error, ended func(error)) { c.Receive(funcs{f, ended}) }
