package conn_test

import (
	"context"
	"errors"
	"math"
	"net"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/wstest"
)

var errNoNetwork = errors.New("no network")

// A redialTest is a test of a Redialer in virtual time. Its dials open connections
// in memory, to peers that answer a Close frame and then close the stream, unless
// fail says that they fail.
type redialTest struct {
	*testing.T
	r     conn.Redialer
	start time.Time
	fail  func(ctx context.Context) error // of a dial; nil: none fails
	deaf  bool                            // the peers answer nothing

	dials []time.Duration       // when each dial began, since the start
	conns []*conn.Conn          // that were opened
	peers []*wstest.Peer        // theirs
	codes chan frame.StatusCode // of the Close frames that the peers got, or 1006
}

// redial runs f in a bubble. Afterwards every connection must be over.
func redial(t *testing.T, f func(t *testing.T, rt *redialTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rt := &redialTest{T: t, start: time.Now(), codes: make(chan frame.StatusCode, 100)}
		rt.r.Dial = rt.dial
		conn.SetRandom(&rt.r, func() float64 { return 0.5 }) // every delay as it is
		f(t, rt)
		for i, c := range rt.conns {
			select {
			case <-c.Done():
			default:
				t.Errorf("connection %d of %d is left", i+1, len(rt.conns))
			}
		}
	})
}

func (rt *redialTest) dial(ctx context.Context) (*conn.Conn, error) {
	rt.dials = append(rt.dials, time.Since(rt.start))
	if rt.fail != nil {
		if err := rt.fail(ctx); err != nil {
			return nil, err
		}
	}
	c, p := wstest.PipePeer(rt.T, conn.RoleClient, nil)
	p.Timeout = 0
	rt.conns, rt.peers = append(rt.conns, c), append(rt.peers, p)
	if !rt.deaf {
		go rt.answer(p)
	}
	return c, nil
}

// answer plays the peer: it closes the stream after a Close frame.
func (rt *redialTest) answer(p *wstest.Peer) {
	defer p.Close()
	for {
		f, err := p.Next()
		if err != nil {
			rt.codes <- frame.StatusAbnormal
			return
		}
		if f.Header.Opcode == frame.Close {
			code, reason, _ := frame.ParseClose(f.Payload)
			p.Send(wstest.Close(code, reason))
			rt.codes <- code
			return
		}
	}
}

// stopAfter makes the Redialer stop after n failures in a row.
func (rt *redialTest) stopAfter(n int) {
	rt.r.OnRedial = func(d *conn.Redial) { d.Stop = d.Failures == n }
}

// wantDials fails the test unless dials began at exactly these times.
func (rt *redialTest) wantDials(want ...time.Duration) {
	rt.Helper()
	if !slices.Equal(rt.dials, want) {
		rt.Errorf("dials at %v, want %v", rt.dials, want)
	}
}

// wantAt fails the test unless exactly d has gone since the start.
func (rt *redialTest) wantAt(d time.Duration) {
	rt.Helper()
	if got := time.Since(rt.start); got != d {
		rt.Errorf("at %v, want %v", got, d)
	}
}

// wantCode fails the test unless the next Close frame that a peer got had code.
func (rt *redialTest) wantCode(code frame.StatusCode) {
	rt.Helper()
	if got := <-rt.codes; got != code {
		rt.Errorf("the peer got %v, want %v", got, code)
	}
}

// closeAtOnce is a serve whose connection ends as soon as it is open.
func closeAtOnce(ctx context.Context, c *conn.Conn) error {
	c.CloseNow()
	_, _, err := c.Read(ctx)
	return err
}

// unserved is a serve that must not be called.
func unserved(t *testing.T) func(context.Context, *conn.Conn) error {
	return func(context.Context, *conn.Conn) error {
		t.Error("a connection is served")
		return nil
	}
}

// TestRedialerDelays: the delays double up to MaxDelay, and then jitter moves them.
// The times are exact.
func TestRedialerDelays(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	almost := math.Nextafter(1, 0)
	huge := time.Duration(math.MaxInt64)
	for name, tt := range map[string]struct {
		r      conn.Redialer
		random float64
		want   []time.Duration
	}{
		"defaults, least":     {conn.Redialer{}, 0, []time.Duration{500 * ms, 1 * s, 2 * s, 2500 * ms, 2500 * ms}},
		"defaults, middle":    {conn.Redialer{}, 0.5, []time.Duration{1 * s, 2 * s, 4 * s, 5 * s, 5 * s}},
		"defaults, quarter":   {conn.Redialer{}, 0.25, []time.Duration{750 * ms, 1500 * ms, 3 * s, 3750 * ms, 3750 * ms}},
		"defaults, most":      {conn.Redialer{}, almost, []time.Duration{1500 * ms, 3 * s, 6 * s, 7500 * ms, 7500 * ms}},
		"no jitter":           {conn.Redialer{Jitter: -1}, 0, []time.Duration{1 * s, 2 * s, 4 * s, 5 * s}},
		"all jitter, least":   {conn.Redialer{Jitter: 1}, 0, []time.Duration{0, 0, 0, 0}},
		"all jitter, most":    {conn.Redialer{Jitter: 1}, almost, []time.Duration{2*s - 1, 4*s - 1, 8*s - 1, 10*s - 1}},
		"first":               {conn.Redialer{FirstDelay: 3 * s}, 0.5, []time.Duration{3 * s, 5 * s, 5 * s}},
		"long first":          {conn.Redialer{FirstDelay: 8 * s}, 0.5, []time.Duration{8 * s, 8 * s}},
		"max":                 {conn.Redialer{MaxDelay: time.Minute}, 0.5, []time.Duration{1 * s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}},
		"short max":           {conn.Redialer{MaxDelay: 300 * ms}, 0.5, []time.Duration{300 * ms, 300 * ms}},
		"both":                {conn.Redialer{FirstDelay: 10 * ms, MaxDelay: 40 * ms}, 0.5, []time.Duration{10 * ms, 20 * ms, 40 * ms, 40 * ms}},
		"max is no double":    {conn.Redialer{FirstDelay: 3, MaxDelay: 7, Jitter: -1}, 0, []time.Duration{3, 6, 7, 7}},
		"equal":               {conn.Redialer{FirstDelay: 7, MaxDelay: 7}, 0.5, []time.Duration{7, 7}},
		"huge, without limit": {conn.Redialer{FirstDelay: huge, MaxDelay: huge, DialTimeout: -1}, 0.5, []time.Duration{1 << 62}},
		"huge, most":          {conn.Redialer{FirstDelay: huge, MaxDelay: huge, Jitter: 1}, almost, []time.Duration{huge - 1023}},
	} {
		t.Run(name, func(t *testing.T) {
			redial(t, func(t *testing.T, rt *redialTest) {
				rt.fail = func(context.Context) error { return errNoNetwork }
				var delays []time.Duration
				tt.r.Dial = rt.dial
				tt.r.OnRedial = func(d *conn.Redial) {
					delays = append(delays, d.Delay)
					if d.Failures != len(delays) {
						t.Errorf("failure %d is called %d", len(delays), d.Failures)
					}
					d.Stop = len(delays) == len(tt.want)
				}
				conn.SetRandom(&tt.r, func() float64 { return tt.random })
				if err := tt.r.Run(t.Context(), unserved(t)); err != errNoNetwork {
					t.Errorf("Run: %v, want the error of the last dial", err)
				}
				if !slices.Equal(delays, tt.want) {
					t.Errorf("delays %v, want %v", delays, tt.want)
				}
				at := time.Duration(0)
				for i, d := range rt.dials {
					if d != at {
						t.Errorf("dial %d at %v, want %v", i+1, d, at)
					}
					at += tt.want[i]
				}
			})
		})
	}
}

// TestRedialerJitter: with the random source of its own the delays keep to their
// bounds and fill them.
func TestRedialerJitter(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		rt.fail = func(context.Context) error { return errNoNetwork }
		conn.SetRandom(&rt.r, nil)
		rt.stopAfter(2000)
		rt.r.Run(t.Context(), unserved(t))
		least, most := time.Hour, time.Duration(0)
		for i := range rt.dials[4:] {
			d := rt.dials[4+i] - rt.dials[3+i]
			least, most = min(least, d), max(most, d)
		}
		if least < 2500*time.Millisecond || most > 7500*time.Millisecond {
			t.Errorf("delays from %v to %v, want 2.5 s to 7.5 s", least, most)
		}
		// That 1,996 numbers leave out a tenth at either end has the odds of 1e-91.
		if least > 3*time.Second || most < 7*time.Second {
			t.Errorf("delays from %v to %v don't fill their bounds", least, most)
		}
	})
}

// TestRedialerLived: only a connection that was served for MaxDelay lets the delays
// begin anew, so that a server which accepts and closes is left in peace.
func TestRedialerLived(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		const s = time.Second
		lives := []time.Duration{0, 0, 0, 0, 5*s - 1, 5 * s, 0, time.Hour, 0}
		var failures []int
		rt.r.OnRedial = func(d *conn.Redial) {
			wantError(t, d.Err, net.ErrClosed)
			failures = append(failures, d.Failures)
			d.Stop = len(failures) == len(lives)
		}
		err := rt.r.Run(t.Context(), func(ctx context.Context, c *conn.Conn) error {
			<-time.After(lives[len(rt.conns)-1])
			return closeAtOnce(ctx, c)
		})
		wantError(t, err, net.ErrClosed)
		if want := []int{1, 2, 3, 4, 5, 1, 2, 1, 2}; !slices.Equal(failures, want) {
			t.Errorf("failures %v, want %v", failures, want)
		}
		rt.wantDials(0, 1*s, 3*s, 7*s, 12*s, 22*s-1, 28*s-1, 30*s-1, 31*s-1+time.Hour)
	})
}

// TestRedialerClosingIsNoLife: the time that a deaf peer makes the closing handshake
// take is not time that the connection was served, and the next dial waits for it.
func TestRedialerClosingIsNoLife(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		rt.deaf = true
		rt.stopAfter(3)
		err := rt.r.Run(ctx, func(context.Context, *conn.Conn) error { return errEnough })
		wantError(t, err, errEnough)
		const s = time.Second // CloseTimeout is 5 s
		rt.wantDials(0, (5+1)*s, (5+1+5+2)*s)
	})
}

// TestRedialerServeReturns: what serve returns says how the connection is closed
// and whether another one follows.
func TestRedialerServeReturns(t *testing.T) {
	wrapped := errors.Join(conn.ErrStop, errors.New("wrong password"))
	coded := errors.Join(&conn.CloseError{Code: 4001, Reason: "moved"}, conn.ErrStop)
	for name, tt := range map[string]struct {
		err   error
		code  frame.StatusCode
		again bool
	}{
		"nil":               {nil, frame.StatusNormalClosure, false},
		"ErrStop":           {conn.ErrStop, frame.StatusNormalClosure, false},
		"ErrStop, wrapped":  {wrapped, frame.StatusNormalClosure, false},
		"ErrStop, a code":   {coded, 4001, false},
		"CloseError":        {&conn.CloseError{Code: 4002, Reason: "later"}, 4002, true},
		"CloseError, wrong": {&conn.CloseError{Code: 1006}, frame.StatusInternalError, true},
		"another":           {errNoNetwork, frame.StatusInternalError, true},
		"a ctx's":           {context.Canceled, frame.StatusInternalError, true},
	} {
		t.Run(name, func(t *testing.T) {
			redial(t, func(t *testing.T, rt *redialTest) {
				told := 0
				rt.r.OnRedial = func(d *conn.Redial) {
					told++
					if d.Err != tt.err || d.Stop {
						t.Errorf("told %+v, want the error of serve", d)
					}
				}
				err := rt.r.Run(t.Context(), func(context.Context, *conn.Conn) error {
					if len(rt.conns) == 2 {
						return nil
					}
					return tt.err
				})
				rt.wantCode(tt.code)
				if tt.again {
					rt.wantCode(frame.StatusNormalClosure)
					rt.wantDials(0, time.Second)
					tt.err = nil
				} else {
					rt.wantDials(0)
				}
				if err != tt.err {
					t.Errorf("Run: %v, want %v", err, tt.err)
				}
				if told != len(rt.dials)-1 {
					t.Errorf("told of %d failures", told)
				}
			})
		})
	}
}

// TestRedialerPeerCloses: an end that the peer has brought about is followed by
// another attempt, whatever the code.
func TestRedialerPeerCloses(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		rt.deaf = true
		rt.r.OnRedial = func(d *conn.Redial) {
			wantClosed(t, d.Err, frame.StatusNormalClosure)
			d.Stop = d.Failures == 3
		}
		err := rt.r.Run(t.Context(), func(ctx context.Context, c *conn.Conn) error {
			p := rt.peers[len(rt.peers)-1]
			p.Send(wstest.Text("hello"), wstest.Close(frame.StatusNormalClosure, ""))
			defer p.Close()
			return each(c, ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) })
		})
		wantClosed(t, err, frame.StatusNormalClosure)
		rt.wantDials(0, time.Second, 3*time.Second)
	})
}

// TestRedialerContextEnds: Run ends with its ctx at each step, at once, and closes
// the connection with 1001.
func TestRedialerContextEnds(t *testing.T) {
	const s = time.Second
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	dialed, failed := false, false
	for name, tt := range map[string]struct {
		end   time.Duration // of ctx; negative: before Run
		fail  func(context.Context) error
		serve func(rt *redialTest, ctx, runs context.Context, c *conn.Conn) error
		dials []time.Duration
		after error            // of the failure that the error tells too
		code  frame.StatusCode // that the peer got; 0: there is none
	}{
		"before":  {end: -1},
		"dialing": {end: 3 * s, fail: hangs, dials: []time.Duration{0}},
		"dialing, which succeeds": {
			end:   3 * s,
			fail:  func(ctx context.Context) error { hangs(ctx); return nil },
			dials: []time.Duration{0},
			code:  frame.StatusGoingAway,
		},
		"waiting": {
			end:   2 * s,
			fail:  func(context.Context) error { return errNoNetwork },
			dials: []time.Duration{0, 1 * s},
			after: errNoNetwork,
		},
		"dialing after a failure": {
			end: 3 * s,
			fail: func(ctx context.Context) error {
				if dialed {
					return hangs(ctx)
				}
				dialed = true
				return errNoNetwork
			},
			dials: []time.Duration{0, 1 * s},
			after: errNoNetwork,
		},
		"dialing after a failure, which succeeds": {
			end: 3 * s,
			fail: func(ctx context.Context) error {
				if !failed {
					failed = true
					return errNoNetwork
				}
				hangs(ctx)
				return nil
			},
			dials: []time.Duration{0, 1 * s},
			code:  frame.StatusGoingAway,
		},
		"waiting after a connection": {
			end:   2 * s,
			serve: func(*redialTest, context.Context, context.Context, *conn.Conn) error { return errEnough },
			dials: []time.Duration{0, 1 * s},
			after: errEnough,
			code:  frame.StatusInternalError,
		},
		"serving": {
			end: 7 * s,
			serve: func(_ *redialTest, ctx, _ context.Context, c *conn.Conn) error {
				_, _, err := c.Read(ctx)
				wantClosedHere(t, err)
				return err
			},
			dials: []time.Duration{0},
			code:  frame.StatusGoingAway,
		},
		"serving without ctx": {
			end: 7 * s,
			serve: func(_ *redialTest, _, _ context.Context, c *conn.Conn) error {
				_, _, err := c.Read(context.Background())
				wantClosedHere(t, err)
				return err
			},
			dials: []time.Duration{0},
			code:  frame.StatusGoingAway,
		},
		"serving with the ctx of Run": {
			end: 7 * s,
			serve: func(_ *redialTest, _, runs context.Context, c *conn.Conn) error {
				_, _, err := c.Read(runs)
				return err
			},
			dials: []time.Duration{0},
			code:  frame.StatusGoingAway,
		},
		"serving, told by ctx": {
			end: 7 * s,
			serve: func(_ *redialTest, ctx, _ context.Context, _ *conn.Conn) error {
				<-ctx.Done()
				return ctx.Err()
			},
			dials: []time.Duration{0},
			code:  frame.StatusGoingAway,
		},
		"serving after a failure": {
			end: 7 * s,
			serve: func(rt *redialTest, ctx, _ context.Context, c *conn.Conn) error {
				if len(rt.conns) == 1 {
					return errEnough
				}
				_, _, err := c.Read(ctx)
				return err
			},
			dials: []time.Duration{0, 1 * s},
			code:  frame.StatusInternalError,
		},
	} {
		t.Run(name, func(t *testing.T) {
			redial(t, func(t *testing.T, rt *redialTest) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.end < 0 {
					cancel()
				} else {
					time.AfterFunc(tt.end, cancel)
				}
				rt.fail = tt.fail
				err := rt.r.Run(ctx, func(serving context.Context, c *conn.Conn) error {
					if tt.serve == nil {
						t.Error("a connection is served")
						return nil
					}
					return tt.serve(rt, serving, ctx, c)
				})
				rt.wantAt(max(tt.end, 0))
				wantError(t, err, context.Canceled)
				for _, after := range []error{errNoNetwork, errEnough, net.ErrClosed} {
					if errors.Is(err, after) != (after == tt.after) {
						t.Errorf("Run: %v, want after %v", err, tt.after)
					}
				}
				says := "websocket: redial: context canceled"
				if tt.after != nil {
					says += ", after: " + tt.after.Error()
				}
				if err.Error() != says {
					t.Errorf("Run: %q, want %q", err, says)
				}
				rt.wantDials(tt.dials...)
				if tt.code != 0 {
					rt.wantCode(tt.code)
				}
			})
		})
	}
}

// TestRedialerForgetsFailure: a failure is not the last one any more once a connection has been
// opened, however short its life is.
func TestRedialerForgetsFailure(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		ctx, cancel := context.WithCancel(t.Context())
		rt.fail = func(context.Context) error {
			if len(rt.dials) == 1 {
				return errNoNetwork
			}
			return nil
		}
		err := rt.r.Run(ctx, func(context.Context, *conn.Conn) error {
			cancel()
			return errEnough
		})
		wantError(t, err, context.Canceled)
		if errors.Is(err, errNoNetwork) || errors.Is(err, errEnough) {
			t.Errorf("Run: %v, want no failure", err)
		}
		rt.wantDials(0, time.Second)
	})
}

// TestRedialerContextEndsWhileClosing: a peer that doesn't answer the Close frame
// holds Run up for CloseTimeout and no longer.
func TestRedialerContextEndsWhileClosing(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		rt.deaf = true
		err := rt.r.Run(ctx, func(context.Context, *conn.Conn) error { return errEnough })
		wantError(t, err, context.DeadlineExceeded)
		rt.wantAt(5 * time.Second)
		rt.wantDials(0)
		rt.peers[0].WantClose(frame.StatusInternalError)
	})
}

// TestRedialerDialTimeout: an attempt that takes too long fails, and ctx goes on.
func TestRedialerDialTimeout(t *testing.T) {
	for name, tt := range map[string]struct {
		timeout time.Duration
		want    []time.Duration // when dials begin
	}{
		"default": {0, []time.Duration{0, 21 * time.Second, 43 * time.Second}},
		"3 s":     {3 * time.Second, []time.Duration{0, 4 * time.Second, 9 * time.Second}},
		"none":    {-1, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			redial(t, func(t *testing.T, rt *redialTest) {
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				rt.r.DialTimeout = tt.timeout
				rt.fail = func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}
				rt.stopAfter(3)
				err := rt.r.Run(ctx, unserved(t))
				wantError(t, err, context.DeadlineExceeded)
				rt.wantDials(tt.want...)
				if ended := ctx.Err() != nil; ended != (tt.timeout < 0) {
					t.Errorf("ctx has ended: %v", ended)
				}
			})
		})
	}
}

// TestRedialerOnRedial: what the function changes is what happens.
func TestRedialerOnRedial(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		delays := []time.Duration{time.Minute, 0, -time.Hour, 7}
		rt.fail = func(context.Context) error { return errNoNetwork }
		rt.r.OnRedial = func(d *conn.Redial) {
			if d.Failures > len(delays) {
				d.Stop = true
				return
			}
			d.Delay = delays[d.Failures-1]
		}
		wantError(t, rt.r.Run(t.Context(), unserved(t)), errNoNetwork)
		rt.wantDials(0, time.Minute, time.Minute, time.Minute, time.Minute+7)
	})
}

// TestRedialerDialStops: a Dial that returns ErrStop ends Run, and one that
// returns nothing has failed.
func TestRedialerDialStops(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		rt.fail = func(context.Context) error { return conn.ErrStop }
		rt.r.OnRedial = func(*conn.Redial) { t.Error("told of what ends Run") }
		wantError(t, rt.r.Run(t.Context(), unserved(t)), conn.ErrStop)
		rt.wantDials(0)
	})
	r := conn.Redialer{
		Dial:     func(context.Context) (*conn.Conn, error) { return nil, nil },
		OnRedial: func(d *conn.Redial) { d.Stop = true },
	}
	if err := r.Run(t.Context(), unserved(t)); err == nil {
		t.Error("no error for a Dial that returns nothing")
	}
}

// TestRedialerPanic: a panic of serve closes the stream, and is the caller's.
func TestRedialerPanic(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		defer func() {
			if v := recover(); v != "serve" {
				t.Errorf("recovered %v", v)
			}
			rt.wantCode(frame.StatusAbnormal)
		}()
		rt.r.Run(t.Context(), func(context.Context, *conn.Conn) error { panic("serve") })
	})
}

// TestRedialerContext: the ctx of serve ends with the connection, and of Run's it
// has the values alone.
func TestRedialerContext(t *testing.T) {
	type key struct{}
	redial(t, func(t *testing.T, rt *redialTest) {
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
		defer cancel(nil)
		err := rt.r.Run(ctx, func(serving context.Context, c *conn.Conn) error {
			if got := serving.Value(key{}); got != "value" {
				t.Errorf("the value is %v", got)
			}
			if len(rt.conns) == 1 {
				c.CloseNow()
			} else {
				cancel(errEnough)
			}
			<-serving.Done()
			if got := context.Cause(serving); got != context.Canceled {
				t.Errorf("the cause is %v, want that of the connection's ctx", got)
			}
			return serving.Err()
		})
		wantError(t, err, context.Canceled)
		rt.wantDials(0, time.Second)
		rt.wantCode(frame.StatusAbnormal)
		rt.wantCode(frame.StatusGoingAway)
	})
}

// TestRedialerShared: many calls of Run share a Redialer, which stays as it is.
func TestRedialerShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := conn.Redialer{Dial: func(context.Context) (*conn.Conn, error) {
			c, p := wstest.PipePeer(t, conn.RoleClient, nil)
			p.Close()
			return c, nil
		}}
		before := reflect.ValueOf(r)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error)
		for range 20 {
			go func() {
				ended <- r.Run(ctx, func(ctx context.Context, c *conn.Conn) error {
					_, _, err := c.Read(ctx)
					return err
				})
			}()
		}
		for range 20 {
			wantError(t, <-ended, context.DeadlineExceeded)
		}
		after := reflect.ValueOf(r)
		for i := range after.NumField() {
			if f := after.Field(i); f.IsZero() != before.Field(i).IsZero() {
				t.Errorf("Run has set the field %s", after.Type().Field(i).Name)
			}
		}
	})
}
