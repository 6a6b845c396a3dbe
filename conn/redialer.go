package conn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parleyws/parley/frame"
)

// A Redialer keeps a client connected: Run dials, lets a function serve the
// connection, and dials again when the connection has ended or the dial has
// failed. Before that it waits, for a random time that grows with each failure in a
// row (RFC 6455, section 7.2.3). It buffers nothing and adds no protocol: what was
// sent on a connection that has ended may or may not have arrived.
//
// Either URL or Dial is set; every other field has a default. The fields must not
// be changed while Run is running. Any number of calls of Run may share a Redialer.
type Redialer struct {
	// URL and Options are what the function Dial gets for each attempt.
	URL     string
	Options *DialOptions
	// Dial may be set instead of URL and Options. It opens the connection of one
	// attempt: with a token that must be fresh, to one of several servers, or over
	// another stream. It must return when ctx ends. ctx bounds the dialing alone. An
	// error that is ErrStop stops Run.
	Dial func(ctx context.Context) (*Conn, error)
	// DialTimeout is how long one attempt may take. Default 20 s; negative turns
	// the limit off.
	DialTimeout time.Duration
	// FirstDelay is the delay after one failure, before jitter. Each further
	// failure in a row doubles it, up to MaxDelay. Default 1 s, or MaxDelay if that
	// is shorter. A negative value is an error: some delay there must be.
	FirstDelay time.Duration
	// MaxDelay bounds the delay, before jitter. It is also how long a connection
	// must have been served to count as one that has lived: the delays begin anew
	// with FirstDelay after it. A connection that ends sooner is one more failure in
	// the row, so that a server which accepts and closes at once is not dialed more
	// often than one which refuses. Default 5 s, or FirstDelay if that is longer.
	MaxDelay time.Duration
	// Jitter is how far a delay is moved at random, so that the clients of a server
	// that restarts don't all come back at once: every delay is multiplied by a
	// random number from 1 - Jitter to 1 + Jitter. Default 0.5; at most 1; negative
	// turns it off. Delays at MaxDelay are moved too and may exceed it.
	Jitter float64
	// OnRedial, if set, is told of each failure, that of the first attempt
	// included, and may change what follows. Run's goroutine calls it, and waits
	// for it. It is not told of what ends Run anyway: the end of ctx, and what serve
	// returns to stop.
	OnRedial func(*Redial)

	random func() float64 // in [0, 1); nil: that of math/rand/v2
}

// A Redial tells Redialer.OnRedial of a failure and of what Run does next. The
// function may change Delay and Stop, and must not keep the Redial.
type Redial struct {
	// Err is the failure: what Dial or serve returned.
	Err error
	// Failures counts the failures in a row, this one included. It is 1 for the end
	// of a connection that has lived.
	Failures int
	// Delay is how long Run waits before it dials again. No delay if it is negative.
	Delay time.Duration
	// Stop makes Run return Err instead. It is set already if a dial has failed with
	// a *handshake.DialError whose status is 4xx: the server refuses the request, and
	// would refuse the same request again. The statuses 404, 408, 421, 425 and 429
	// are exceptions, because the same request may succeed later (RFC 9110, section
	// 15.5). So may every dial that fails in another way: networks and names come
	// back, servers that answer with 5xx restart, and a 200 or 302 may come from
	// something between that answers for a server which is away.
	Stop bool
}

// ErrStop stops Redialer.Run: an error of serve that is ErrStop, by errors.Is, is
// what Run returns.
var ErrStop = errors.New("websocket: stop redialing")

// Run dials until serve says stop, a failure is final, or ctx ends. It hands each
// connection to serve, and dials again after it. There is one connection at a
// time: the next attempt begins when the stream of the one before is closed.
//
// What serve returns says what comes next:
//
//	serve returns                   the connection is closed with  Run
//	nil                             1000                           returns nil
//	an error that is ErrStop        1000, or a *CloseError's code  returns the error
//	a *CloseError                   its code and reason            dials again
//	any other error                 1011                           dials again
//
// A connection that has ended already is only waited for. So a serve that returns
// the error of Each or Read dials again however the connection has ended, even if
// the peer has closed it with 1000. serve must not use c after it has returned. A
// panic of serve is not recovered; the stream is closed then.
//
// The ctx of serve ends with the connection and has the values of Run's ctx. When
// Run's ctx ends, the connection is closed with 1001 (going away). Reads and
// writes of serve then return net.ErrClosed, and Run waits for serve. A client
// that must say more to the peer before it leaves returns nil from serve instead.
//
// Run waits until the stream of its last connection is closed, so that the peer
// gets what was written; Limits.WriteTimeout and Limits.CloseTimeout bound that.
// It leaves no goroutine.
//
// Run returns nil only if serve has. If ctx has ended, the error is that of ctx
// and of the failure that was last, if no connection has been opened since. Fields
// that can't be meant, and a URL or Options that Dial would refuse before sending
// anything, are an error at once.
func (r *Redialer) Run(ctx context.Context, serve func(ctx context.Context, c *Conn) error) error {
	s, err := r.settings()
	if err != nil {
		return err
	}
	var last error // the failure of the attempt before
	for row := 1; ctx.Err() == nil; row++ {
		lived, err := s.attempt(ctx, serve)
		if err == nil || errors.Is(err, ErrStop) {
			return err
		}
		if lived >= 0 { // it was opened
			last = nil
		}
		if lived >= s.max {
			row = 1
		}
		if ctx.Err() != nil {
			break
		}
		last = err
		next := Redial{Err: err, Failures: row, Delay: s.delay(row), Stop: lived < 0 && isFinal(err)}
		if r.OnRedial != nil {
			r.OnRedial(&next)
		}
		if next.Stop {
			return err
		}
		sleep(ctx, next.Delay)
	}
	if last != nil {
		return fmt.Errorf("websocket: redial: %w, after: %w", ctx.Err(), last)
	}
	return contextError("redial", ctx)
}

// errNoConn is a Redialer.Dial that has returned neither.
var errNoConn = errors.New("conn.Redialer: Dial has returned no Conn and no error")

// attempt dials once and has the connection served. It returns for how long, or a
// negative time if no connection was opened, and the error of Dial or serve. The
// stream is closed then.
func (s *redialing) attempt(ctx context.Context, serve func(context.Context, *Conn) error) (lived time.Duration, err error) {
	dialing, cancel := context.WithTimeout(ctx, s.timeout)
	c, err := s.dial(dialing)
	cancel()
	if err == nil && c == nil {
		err = errNoConn
	}
	if err != nil {
		return -1, err
	}
	defer c.CloseNow() // a panic of serve
	if ctx.Err() != nil {
		c.conclude(&CloseError{Code: frame.StatusGoingAway}, nil)
		return 0, errClosed
	}
	c.setValues(context.WithoutCancel(ctx)) // or context.Cause would find Run's
	opened := time.Now()
	leave := context.AfterFunc(ctx, func() { c.endWith(localEnd, errClosed, frame.StatusGoingAway, "") })
	defer leave()
	err = serve(connContext{c}, c)
	lived = time.Since(opened)
	c.conclude(farewell(ctx, err), func(error) {})
	return lived, err
}

// farewell returns what says how to close a connection whose serve has returned
// err: nil for 1000, a *CloseError for its code, any other error for 1011.
func farewell(ctx context.Context, err error) error {
	_, chosen := errors.AsType[*CloseError](err)
	switch {
	case chosen || err == nil:
		return err
	case errors.Is(err, ErrStop):
		return nil
	case ctx.Err() != nil: // serve has seen it before we closed
		return &CloseError{Code: frame.StatusGoingAway}
	}
	return err
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
