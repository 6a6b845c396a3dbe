package leakcheck

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestLeftover(t *testing.T) {
	if left := leftover(patience); len(left) > 0 {
		t.Fatalf("goroutines before any was started: %q", left)
	}
	begun, release := make(chan struct{}, 1), make(chan struct{})
	go idle(begun, release)
	<-begun
	if left := leftover(20 * time.Millisecond); len(left) != 1 || !strings.Contains(left[0], "leakcheck.idle") {
		t.Errorf("want the waiting goroutine, got %q", left)
	}
	close(release)
	if left := leftover(patience); len(left) > 0 {
		t.Errorf("goroutines after the last one ended: %q", left)
	}
}

// idle waits for release, after it has said that it has begun.
func idle(begun chan<- struct{}, release <-chan struct{}) {
	begun <- struct{}{}
	<-release
}

func TestBubbled(t *testing.T) {
	if n := Bubbled(); n != 0 {
		t.Fatalf("%d goroutines without a bubble", n)
	}
	synctest.Test(t, func(t *testing.T) {
		before := Bubbled()
		if before == 0 {
			t.Error("the test's own goroutine is not counted")
		}
		begun, release := make(chan struct{}, 1000), make(chan struct{})
		for range 1000 {
			go idle(begun, release)
		}
		if n := Bubbled() - before; n != 1000 {
			t.Errorf("%d more goroutines, want 1000", n)
		}
		close(release)
		synctest.Wait()
		if n := Bubbled() - before; n != 0 {
			t.Errorf("%d more goroutines after their end", n)
		}
	})
}

func TestOurs(t *testing.T) {
	stacks := []string{
		"goroutine 1 [running]:\n" + module + "/internal/leakcheck.stacks()",
		"goroutine 2 [chan receive]:\nnet/http.(*persistConn).readLoop()",
		"goroutine 3 [IO wait]:\nnet.(*conn).Read()\n" + module + "/conn.(*Conn).Read()",
		"goroutine 4 [chan receive]:\nmain.f()\ncreated by " + module + "/conn.New",
		"goroutine 5 [chan receive]:\ntesting.(*M).Run(0x1)\n" + module + "/internal/leakcheck.Main()",
	}
	if got := ours(stacks); len(got) != 2 || got[0] != stacks[2] || got[1] != stacks[3] {
		t.Errorf("ours = %q, want numbers 3 and 4", got)
	}
}
