package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newTestWatch returns a watch of four cases, the buffer to which it shows progress,
// and the context that it can end.
func newTestWatch(t *testing.T) (*watch, *bytes.Buffer, context.Context) {
	t.Helper()
	var out, log bytes.Buffer
	cases, err := selectCases("6.4")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	return newWatch(&trial{role: roleServer, cases: cases, out: &out}, &log, cancel), &out, ctx
}

func TestWatchProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, out, _ := newTestWatch(t)
		print := func(s string) {
			t.Helper()
			for _, c := range []byte(s) { // a line may come in any pieces
				if n, err := w.Write([]byte{c}); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
		}
		print("Autobahn Fuzzing WebSocket Client (Autobahn Testsuite Version 25.10.1 / Autobahn Version 0.10.9)\n")
		print("Ok, will run 4 test cases against 1 servers\nsomething else\n")
		if err := w.ready(t.Context()); err != nil {
			t.Errorf("not ready: %v", err)
		}
		for _, id := range []string{"6.4.1", "6.4.2", "6.4.3", "6.4.4"} {
			print("Running test case ID " + id + " for agent parley from peer tcp4:127.0.0.1:1\n")
			time.Sleep(progressTime * 2 / 3)
		}
		w.stop()
		want := `server: case 1 of 4 (6.4.1), 0s
server: case 3 of 4 (6.4.3), 7s
server: case 4 of 4 (6.4.4), 10s
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
		if w.version() != "25.10.1" {
			t.Errorf("version %q", w.version())
		}
	})
}

func TestWatchStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, ctx := newTestWatch(t)
		defer w.stop()
		time.Sleep(stallTime - time.Nanosecond)
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(stallTime - time.Nanosecond)
		synctest.Wait()
		if err := context.Cause(ctx); err != nil {
			t.Errorf("the run has ended early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), "nothing has moved") {
			t.Errorf("cause %v, want a stall", err)
		}
	})
}

func TestWatchEnd(t *testing.T) {
	w, _, _ := newTestWatch(t)
	defer w.stop()
	w.ended()
	if err := w.ready(t.Context()); err == nil {
		t.Error("ready although wstest has ended")
	}
}
