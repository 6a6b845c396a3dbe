package loop_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parleyws/parley/internal/loop"
)

// Whatever comes, in whatever pieces and however it ends, a Reader gets all of it, in order,
// and the end.
func TestAllIsRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		const sockets, rounds = 20, 20
		for round := range rounds {
			var peers sync.WaitGroup
			var got [sockets][]byte
			var want [sockets][]byte
			readers := make([]*reader, sockets)
			for i := range sockets {
				socket, theirs := s.open()
				random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				for range random.IntN(20_000) {
					want[i] = append(want[i], byte(random.Uint32()))
				}
				late := random.IntN(2) == 0
				if !late {
					readers[i] = serve(socket, func(p []byte) { got[i] = append(got[i], p...) })
				}
				peers.Go(func() {
					defer theirs.Close()
					for rest := want[i]; len(rest) > 0; {
						n := min(len(rest), 1+random.IntN(3000))
						if _, err := theirs.Write(rest[:n]); err != nil {
							t.Error(err)
							return
						}
						if rest = rest[n:]; random.IntN(3) == 0 {
							runtime.Gosched()
						}
					}
					theirs.(interface{ CloseWrite() error }).CloseWrite()
					if n, err := theirs.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("the peer reads %d bytes, %v", n, err)
					}
				})
				if late { // some of it has come before
					runtime.Gosched()
					readers[i] = serve(socket, func(p []byte) { got[i] = append(got[i], p...) })
				}
			}
			for i, r := range readers {
				if err := <-r.end; err != io.EOF || !bytes.Equal(got[i], want[i]) {
					t.Fatalf("round %d, socket %d: %d bytes, want %d; %v", round, i, len(got[i]), len(want[i]), err)
				}
				r.s.Close()
			}
			peers.Wait()
		}
	})
}

// Readers that block delay nobody, however many there are.
func TestReadersThatBlock(t *testing.T) {
	for _, processors := range []int{1, 2} {
		onBoth(t, func(t *testing.T, s *shop) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			const blocked = 50
			gate := make(chan struct{})
			var waiting sync.WaitGroup
			waiting.Add(blocked)
			for range blocked {
				socket, theirs := s.open()
				defer theirs.Close()
				var once sync.Once
				serve(socket, func([]byte) { once.Do(func() { waiting.Done(); <-gate }) })
				theirs.Write([]byte("x"))
			}
			waiting.Wait() // each of them blocks a worker
			socket, theirs := s.open()
			defer theirs.Close()
			serve(socket, func(p []byte) { socket.TryWrite(p) })
			for range 100 {
				theirs.Write([]byte("ping"))
				if n, err := io.ReadFull(theirs, make([]byte, 4)); err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
			}
			close(gate)
		})
	}
}

// A Reader that ends its goroutine takes no other with it.
func TestGoexit(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		for range 100 {
			socket, theirs := s.open()
			ended := make(chan struct{})
			serve(socket, func([]byte) {
				defer close(ended)
				defer socket.Stop()
				runtime.Goexit()
			})
			theirs.Write([]byte("x"))
			<-ended
			theirs.Close()
		}
		socket, theirs := s.open()
		defer theirs.Close()
		serve(socket, func(p []byte) { socket.TryWrite(p) })
		theirs.Write([]byte("x"))
		if _, err := io.ReadFull(theirs, make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}

// A socket from which a lot comes is read no further than the others allow: between two of
// its turns each of them has one.
func TestFairness(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		flooded, flood := s.open()
		quit := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for b := make([]byte, 256<<10); ; {
				if _, err := flood.Write(b); err != nil {
					return
				}
				select {
				case <-quit:
					return
				default:
				}
			}
		})
		var read atomic.Int64
		serve(flooded, func(p []byte) { read.Add(int64(len(p))) })
		const calm = 10
		for range calm {
			socket, theirs := s.open()
			defer theirs.Close()
			serve(socket, func(p []byte) { socket.TryWrite(p) })
			for range 20 {
				theirs.Write([]byte("x"))
				if _, err := io.ReadFull(theirs, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if read.Load() == 0 {
			t.Error("nothing was read of the flood")
		}
		close(quit)
		flooded.Close()
		flood.Close()
		writer.Wait()
	})
}

// A descriptor is not used once it is closed, though the system gives it to the next
// connection: whoever writes to a socket reaches its own peer, or nobody.
func TestDescriptorsAreNotMistaken(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		const writers, rounds = 4, 100
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range rounds {
					socket, theirs := s.open()
					name := fmt.Appendf(nil, "<%d/%d>", w, i)
					var both sync.WaitGroup
					both.Go(func() {
						for {
							if _, err := socket.TryWrite(name); err != nil {
								if !errors.Is(err, net.ErrClosed) {
									t.Errorf("TryWrite: %v", err)
								}
								return
							}
						}
					})
					r := serve(socket, func(p []byte) {
						if rest := bytes.ReplaceAll(p, name, nil); len(rest) > 0 && !bytes.HasPrefix(name, rest) {
							t.Errorf("%s has read %.40q", name, p)
						}
					})
					theirs.Write(name)
					got := make([]byte, len(name))
					if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, name) {
						t.Errorf("the peer of %s has read %q, %v", name, got, err)
					}
					socket.Close()
					if err := <-r.end; !errors.Is(err, net.ErrClosed) {
						t.Errorf("Readable at the end: %v", err)
					}
					both.Wait()
					theirs.Close()
				}
			})
		}
		all.Wait()
	})
}

// A Reader learns that its socket is closed, though it reads at that moment.
func TestCloseWhileReading(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		for i := range 1000 {
			socket, theirs := s.open()
			r := serve(socket, func([]byte) {})
			go theirs.Write([]byte("x"))
			for range i % 50 {
				runtime.Gosched()
			}
			socket.Close()
			if err := <-r.end; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Readable at the end: %v", err)
			}
			theirs.Close()
		}
	})
}

// A Loop that is closed leaves no goroutine, and a socket that is poked at the last moment is
// served still.
func TestCloseLoop(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		for range 200 {
			ours, theirs := s.dial()
			l := loop.New(loop.NewKernel(ours))
			socket := l.Take(ours)
			r := serve(socket, func([]byte) {})
			socket.Close()
			l.Close()
			if err := <-r.end; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Readable at the end: %v", err)
			}
			theirs.Close()
		}
	})
}

// A job is a Work that is a function.
type job func()

func (j job) Run() { j() }

// What is to be done later is done by the worker itself, once the socket can be read by others:
// it may wait for what is still to come. If it ends the goroutine another one does the rest.
func TestLater(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		socket, theirs := s.open()
		defer theirs.Close()
		began, more, rest := make(chan struct{}), make(chan struct{}), make(chan struct{})
		serveWith(socket, func(w *loop.Worker, p []byte) {
			if string(p) == "2" {
				close(more)
				return
			}
			w.Later(job(func() {
				close(began)
				<-more
				runtime.Goexit()
			}))
			w.Later(job(func() { close(rest) }))
		})
		theirs.Write([]byte("1"))
		<-began
		theirs.Write([]byte("2"))
		<-rest
	})
}

// A Reader that waits for what it has left for later hurries it.
func TestHurry(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		socket, theirs := s.open()
		defer theirs.Close()
		over := make(chan struct{})
		serveWith(socket, func(w *loop.Worker, _ []byte) {
			done := make(chan struct{})
			w.Later(job(func() { close(done) }))
			w.Hurry()
			<-done
			close(over)
		})
		theirs.Write([]byte("x"))
		<-over
	})
}
