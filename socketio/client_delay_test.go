package socketio

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// The delays are min(Delay * 2^n * r, MaxDelay), where r is from 1-Jitter to 1+Jitter.
func TestReconnectionDelay(t *testing.T) {
	o, err := (*DialOptions)(nil).resolve()
	if err != nil {
		t.Fatal(err)
	}
	byDefault := o.Reconnection
	for _, jitter := range []float64{1.01, math.NaN()} {
		if _, err := (&DialOptions{Reconnection: Reconnection{Jitter: jitter}}).resolve(); err == nil {
			t.Errorf("Jitter %v: no error", jitter)
		}
	}
	for jitter, want := range map[float64]float64{-1: 0, -0.25: 0, 0: 0.5, 0.25: 0.25, 1: 1} {
		o, err := (&DialOptions{Reconnection: Reconnection{Jitter: jitter}}).resolve()
		if err != nil || o.Reconnection.Jitter != want {
			t.Errorf("Jitter %v is %v, %v; want %v", jitter, o.Reconnection.Jitter, err, want)
		}
	}
	steady := Reconnection{Delay: time.Second, MaxDelay: time.Hour}
	for _, tt := range []struct {
		r           Reconnection
		n           int
		least, most time.Duration
	}{
		{byDefault, 0, 500 * time.Millisecond, 1500 * time.Millisecond},
		{byDefault, 1, time.Second, 3 * time.Second},
		{byDefault, 2, 2 * time.Second, 5 * time.Second},
		{byDefault, 3, 4 * time.Second, 5 * time.Second},
		{byDefault, 4, 5 * time.Second, 5 * time.Second},
		{byDefault, math.MaxInt, 5 * time.Second, 5 * time.Second},
		{steady, 3, 8 * time.Second, 8 * time.Second},
		{steady, 11, 2048 * time.Second, 2048 * time.Second},
		{steady, 12, time.Hour, time.Hour},
		{Reconnection{Delay: time.Second, MaxDelay: time.Hour, Jitter: 1}, 1, 0, 4 * time.Second},
		{Reconnection{Delay: math.MaxInt64, MaxDelay: math.MaxInt64}, 0, math.MaxInt64, math.MaxInt64},
		{Reconnection{Delay: math.MaxInt64, MaxDelay: math.MaxInt64, Jitter: 1}, 9, 0, math.MaxInt64},
	} {
		for random, want := range map[float64]time.Duration{0: tt.least, 1: tt.most} {
			if got := tt.r.delay(tt.n, random); got != want {
				t.Errorf("delay(%d, %v) = %v, want %v", tt.n, random, got, want)
			}
		}
		last := time.Duration(-1)
		for random := 0.0; random < 1; random += 0.01 {
			d := tt.r.delay(tt.n, random)
			if d < last || d < tt.least || d > tt.most {
				t.Errorf("delay(%d, %v) = %v, want %v to %v", tt.n, random, d, tt.least, tt.most)
			}
			last = d
		}
	}
}

// A dialer that is not wanted any more when its time to wait has just ended makes no attempt, and tells
// of none: the Client may have left and come back, with a dialer that counts its own attempts.
func TestPauseOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c, err := newManager("http://example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.OnReconnectAttempt(func(n int) { t.Errorf("attempt %d is told", n) })
		d := &dialer{ctx: context.Background()} // not ended: the wait is over before a ctx can end it
		m.dialer, c.state = d, away
		time.AfterFunc(time.Millisecond, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.dialer = new(dialer)
		})
		if m.pause(d) {
			t.Error("there is another attempt")
		}
		synctest.Wait()
	})
}
