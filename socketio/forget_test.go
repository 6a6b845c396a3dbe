package socketio_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// Acknowledgements that never come are forgotten: far more calls fail than a
// socket may owe answers at a time, and the next one still gets its own. Those
// that come late are ignored.
func TestUnansweredCalls(t *testing.T) {
	const calls = 20_000 // the limit is 1,024
	inBubble(t, nil, func(s *site) {
		joined := make(chan *socketio.Socket, 1)
		s.io.OnConnect(func(n *socketio.Socket) { joined <- n })
		r := s.client()
		n := <-joined
		over, cancel := context.WithCancel(context.Background())
		cancel()
		for range calls {
			if _, err := socketio.Call[int](over, n, "q"); !errors.Is(err, context.Canceled) {
				t.Fatalf("a call that nobody answers: %v", err)
			}
			r.read()
		}
		r.send("30[7]") // late
		answer := make(chan int)
		go func() {
			got, err := socketio.Call[int](context.Background(), n, "q")
			if err != nil {
				t.Error(err)
			}
			answer <- got
		}()
		synctest.Wait()
		r.want(`220000["q"]`)
		r.send("320000[8]")
		if got := <-answer; got != 8 {
			t.Errorf("answer %d, want 8", got)
		}
	})
}

// So are those of CallAll.
func TestUnansweredCallAll(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{PendingAcks: 1}}, func(s *site) {
		r := s.client()
		synctest.Wait()
		if _, err := socketio.CallAll[int](s.t.Context(), s.io.Timeout(time.Second), "q"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody answers: %v", err)
		}
		r.read()
		answered := make(chan error, 1)
		go func() {
			_, err := socketio.CallAll[int](s.t.Context(), s.io.Timeout(time.Second), "q")
			answered <- err
		}()
		r.want(`21["q"]`)
		r.send("31[8]")
		if err := <-answered; err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}
