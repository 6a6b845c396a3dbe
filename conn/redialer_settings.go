package conn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/parleyws/parley/handshake"
)

// A redialing is a Redialer that has been judged, with every default filled in.
type redialing struct {
	dial       func(ctx context.Context) (*Conn, error)
	timeout    time.Duration // of one dial
	first, max time.Duration // delays; 0 < first <= max
	jitter     float64       // 0 to 1
	random     func() float64
}

// settings judges r.
func (r *Redialer) settings() (*redialing, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("websocket: redial: %w", err)
	}
	if r.Dial == nil {
		o := cmp.Or(r.Options, &DialOptions{})
		if err := o.Handshake.Check(r.URL); err != nil {
			return nil, err
		}
	}
	s := &redialing{
		dial:    r.Dial,
		timeout: choose(r.DialTimeout, 20*time.Second, noTime),
		max:     min(cmp.Or(r.MaxDelay, max(5*time.Second, r.FirstDelay)), noTime),
		jitter:  max(cmp.Or(r.Jitter, 0.5), 0),
		random:  r.random,
	}
	s.first = min(cmp.Or(r.FirstDelay, time.Second), s.max)
	if s.random == nil {
		s.random = rand.Float64
	}
	if s.dial == nil {
		s.dial = func(ctx context.Context) (*Conn, error) {
			c, _, err := Dial(ctx, r.URL, r.Options)
			return c, err
		}
	}
	return s, nil
}

// check reports what is wrong with the fields.
func (r *Redialer) check() error {
	switch {
	case r.FirstDelay < 0:
		return fmt.Errorf("Redialer.FirstDelay is %v, want more than 0, or 0 for the default", r.FirstDelay)
	case r.MaxDelay < 0:
		return fmt.Errorf("Redialer.MaxDelay is %v, want more than 0, or 0 for the default", r.MaxDelay)
	case r.MaxDelay > 0 && r.FirstDelay > r.MaxDelay:
		return fmt.Errorf("Redialer.FirstDelay is %v, want no more than MaxDelay, %v", r.FirstDelay, r.MaxDelay)
	case !(r.Jitter <= 1): // or NaN
		return fmt.Errorf("Redialer.Jitter is %v, want at most 1", r.Jitter)
	case r.Dial != nil && (r.URL != "" || r.Options != nil):
		return errors.New("Redialer.URL and Options are of no use with Dial")
	case r.Options != nil:
		_, err := r.Options.Conn.settings()
		return err
	}
	return nil
}

// delay returns the delay after so many failures in a row: first, doubled with
// each further failure up to max, and moved by jitter.
func (s *redialing) delay(row int) time.Duration {
	d := s.max
	if doublings := row - 1; s.first <= s.max>>doublings {
		d = s.first << doublings
	}
	return time.Duration(float64(d) * (1 + s.jitter*(2*s.random()-1)))
}

// isFinal reports whether a dial that has failed with err would fail again for
// sure; see Redial.Stop.
func isFinal(err error) bool {
	e, ok := errors.AsType[*handshake.DialError](err)
	if !ok || e.Status < 400 || e.Status > 499 {
		return false
	}
	switch e.Status {
	case http.StatusNotFound, // "does not indicate whether [it] is temporary or permanent"
		http.StatusRequestTimeout,     // the client may repeat the request
		http.StatusMisdirectedRequest, // it may, over another connection
		http.StatusTooEarly,           // RFC 8470, section 5.2
		http.StatusTooManyRequests:    // RFC 6585, section 4
		return false
	}
	return true
}
