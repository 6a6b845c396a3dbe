package handshake

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"weak"
)

// A readStep is a function as an io.Reader.
type readStep func(p []byte) (int, error)

func (f readStep) Read(p []byte) (int, error) { return f(p) }

// gated returns a reader whose calls wait for an outcome each.
func gated() (io.Reader, chan<- func(p []byte) (int, error)) {
	gate := make(chan func([]byte) (int, error))
	return readStep(func(p []byte) (int, error) { return (<-gate)(p) }), gate
}

func brings(s string, err error) func([]byte) (int, error) {
	return func(p []byte) (int, error) { return copy(p, s), err }
}

// TestPumpDeadline: a read that has outlived its deadline goes on, and what it
// brings comes with the next call, or with the one that waits when it comes.
func TestPumpDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, gate := gated()
		p := newPump(in)
		b := make([]byte, 10)
		want := func(s string, wantErr error) {
			t.Helper()
			if n, err := p.Read(b); string(b[:n]) != s || err != wantErr {
				t.Errorf("%q, %v, want %q, %v", b[:n], err, s, wantErr)
			}
		}
		start := time.Now()
		p.setDeadline(start.Add(time.Second))
		want("", errOverdue)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		want("", errOverdue)
		p.setDeadline(time.Now().Add(-1))
		want("", errOverdue)
		gate <- brings("abc", nil)
		synctest.Wait()
		want("abc", nil) // though the deadline has passed: it has come
		want("", errOverdue)
		p.setDeadline(time.Now().Add(time.Second))
		want("", errOverdue)
		p.setDeadline(time.Now().Add(time.Second))
		p.setDeadline(time.Now().Add(time.Minute)) // the former means nothing now
		go func() {
			<-time.After(30 * time.Second)
			gate <- brings("def", io.EOF)
		}()
		b = b[:2]
		want("de", nil)
		want("f", io.EOF)
		// A deadline that is set while a read waits ends it.
		time.AfterFunc(time.Second, func() { p.setDeadline(past) })
		want("", errOverdue)
		p.setDeadline(time.Time{})
		go func() { gate <- brings("", nil) }()
		want("", nil)
		p.setDeadline(time.Now().Add(time.Second))
		p.setDeadline(time.Time{}) // nor does a former one mean anything if there is none now
		go func() {
			<-time.After(time.Minute)
			gate <- brings("g", nil)
		}()
		want("g", nil)
		if n, err := p.Read(nil); n != 0 || err != nil {
			t.Errorf("empty read: %d, %v", n, err)
		}
		time.AfterFunc(time.Second, p.close)
		want("", net.ErrClosed)
		p.setDeadline(time.Now().Add(time.Hour))
		p.close()
		gate <- brings("too late", nil)
		synctest.Wait()
		want("", net.ErrClosed)
	})
}

// TestPumpDeadlineNow: after its deadline a pump does not begin to read, though the stream
// has something, and even at the very moment of the deadline.
func TestPumpDeadlineNow(t *testing.T) {
	for _, ago := range []time.Duration{0, 1, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			reads := 0
			p := newPump(readStep(func(p []byte) (int, error) { reads++; return len(p), nil }))
			p.setDeadline(time.Now().Add(-ago))
			_, err := p.Read(make([]byte, 1))
			synctest.Wait()
			if err != errOverdue || reads > 0 {
				t.Errorf("%v ago: %v, %d reads", ago, err, reads)
			}
		})
	}
}

// TestPumpDeadlineChanges: the timer of a deadline that was under way when the deadline
// changed does not make the new one pass.
func TestPumpDeadlineChanges(t *testing.T) {
	for _, later := range []time.Duration{0, time.Hour} { // 0: to none
		synctest.Test(t, func(t *testing.T) {
			p := newPump(readStep(brings("x", nil)))
			p.setDeadline(time.Now().Add(time.Second))
			timer := p.timer
			if later == 0 {
				p.setDeadline(time.Time{})
			} else {
				p.setDeadline(time.Now().Add(later))
			}
			timer.Reset(time.Minute) // as if it had not been stopped
			<-time.After(2 * time.Minute)
			if n, err := p.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("a deadline %v later: read %d, %v", later, n, err)
			}
		})
	}
}

// closedPump returns a pump that was closed long before its deadline and a former one, and
// to which nothing of the test's refers.
//
//go:noinline
func closedPump() weak.Pointer[pump] {
	p := newPump(strings.NewReader(""))
	p.setDeadline(time.Now().Add(2000 * time.Hour))
	p.setDeadline(time.Now().Add(1000 * time.Hour))
	p.close()
	return weak.Make(p)
}

// TestPumpCloseFrees: no deadline keeps a pump that is closed in memory.
func TestPumpCloseFrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := closedPump()
		for i := 0; i < 10 && p.Value() != nil; i++ {
			<-time.After(time.Hour) // the runtime keeps a timer that was stopped for a while
			runtime.GC()
		}
		if p.Value() != nil {
			t.Error("the pump is kept until its deadline")
		}
	})
}

// TestPumpExcused: a deadline error of the read that was under way is not told,
// be it before or after it was excused; any other is, and so are bytes. That of a
// later read is told.
func TestPumpExcused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		brings func([]byte) (int, error)
		early  bool // it ends before it is excused
		want   string
		err    error
	}{
		{"deadline", brings("", os.ErrDeadlineExceeded), false, "next", nil},
		{"deadline, before", brings("", os.ErrDeadlineExceeded), true, "next", nil},
		{"bytes", brings("x", os.ErrDeadlineExceeded), false, "x", os.ErrDeadlineExceeded},
		{"bytes, before", brings("x", os.ErrDeadlineExceeded), true, "x", os.ErrDeadlineExceeded},
		{"error", brings("", errConn), false, "", errConn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, gate := gated()
				p := newPump(in)
				p.setDeadline(time.Now().Add(time.Second))
				b := make([]byte, 10)
				if _, err := p.Read(b); err != errOverdue {
					t.Fatal(err)
				}
				if tt.early {
					gate <- tt.brings
					synctest.Wait()
					p.excuse()
				} else {
					p.excuse()
					gate <- tt.brings
					synctest.Wait()
				}
				p.setDeadline(time.Time{})
				if tt.want == "next" {
					go func() { gate <- brings("next", nil) }()
				}
				if n, err := p.Read(b); string(b[:n]) != tt.want || err != tt.err {
					t.Errorf("%q, %v, want %q, %v", b[:n], err, tt.want, tt.err)
				}
				var stream sync.WaitGroup
				stream.Go(func() {
					gate <- brings("", os.ErrDeadlineExceeded)
					select {
					case gate <- brings("", io.EOF): // it was read once more
					case <-time.After(time.Second):
					}
				})
				if n, err := p.Read(b); n != 0 || err != os.ErrDeadlineExceeded {
					t.Errorf("a later read: %q, %v", b[:n], err)
				}
				stream.Wait()
			})
		})
	}
}

// TestPumpPanic: a panic of the stream comes out of Read, where its caller can
// recover from it; a stream that ends the goroutine does not hang the caller.
func TestPumpPanic(t *testing.T) {
	reads := 0
	p := newPump(readStep(func([]byte) (int, error) { reads++; panic("bad read") }))
	for range 2 {
		func() {
			defer func() {
				if v := recover(); v != "bad read" {
					t.Errorf("panic %v", v)
				}
			}()
			p.Read(make([]byte, 1))
		}()
	}
	if reads != 2 {
		t.Errorf("the stream was read %d times by two reads", reads)
	}
	p = newPump(readStep(func([]byte) (int, error) { runtime.Goexit(); return 0, nil }))
	if _, err := p.Read(make([]byte, 1)); err != errReadLeft {
		t.Errorf("error %v", err)
	}
}

// TestPumpMemory: reads into a buffer of the same size, or a smaller one, use the same memory,
// and one into a large buffer has no more than pumpBytes.
func TestPumpMemory(t *testing.T) {
	var used *byte
	p := newPump(readStep(func(b []byte) (int, error) {
		if used != nil && used != &b[0] {
			t.Errorf("a read of %d bytes has memory of its own", len(b))
		}
		used = &b[0]
		return len(b), nil
	}))
	for _, n := range []int{10, 10, 5, 10} {
		if got, err := p.Read(make([]byte, n)); got != n || err != nil {
			t.Errorf("read %d, %v", got, err)
		}
	}
	used = nil
	if got, err := p.Read(make([]byte, 1<<20)); got != pumpBytes || err != nil {
		t.Errorf("a large read: %d, %v, want %d", got, err, pumpBytes)
	}
}

// TestPumpReads: all bytes come in order, however they are cut.
func TestPumpReads(t *testing.T) {
	text := strings.Repeat("0123456789", 500)
	for _, in := range []io.Reader{
		strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text)),
	} {
		got, err := io.ReadAll(newPump(in))
		if string(got) != text || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if err := iotest.TestReader(newPump(strings.NewReader(text)), []byte(text)); err != nil {
		t.Error(err)
	}
	if !errors.Is(errOverdue, os.ErrDeadlineExceeded) || !errOverdue.Timeout() {
		t.Error("errOverdue is no timeout")
	}
}
