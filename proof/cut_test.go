package proof

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/pipe"
)

var everyByte = flag.Bool("every", false, "cut conversations at every byte, not at some")

func TestMain(m *testing.M) {
	pipe.Loop()
	leakcheck.Main(m)
}

// shells are the two ways in which a server's WebSockets may be served.
var shells = map[string]func() *conn.Loop{
	"goroutines": func() *conn.Loop { return &conn.Loop{After: -1} },
	"a loop":     func() *conn.Loop { return &conn.Loop{} },
}

// A conversation is what a client and a server have to say to each other.
type conversation struct {
	name string
	// serve starts a server, and returns what stops it, with all that it has.
	serve func(s *stage) (stop func(context.Context) error)
	// talk is the client's part, to the end. It returns the first error of ours.
	talk func(ctx context.Context, s *stage) error
	// returns tells that the client comes back after a cut: nothing fails then.
	returns bool
}

// A stage is where a conversation takes place: in a bubble, with a wire between both.
type stage struct {
	w       *wire
	client  *http.Client
	serving atomic.Int32 // connections that the server's part has
	wrong   atomic.Pointer[string]
	logger  *slog.Logger
}

// fault takes note of something that must not be, whatever was cut.
func (s *stage) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.wrong.CompareAndSwap(nil, &text)
}

const (
	// talkTime is how long a client may take to find out that it is alone, and serveTime
	// how much later a server may: the keepalive's 25 and 20 s, a session's 25 and 20, the
	// closing handshake's 5, and what a client waits before it comes back.
	talkTime  = 2 * time.Minute
	serveTime = 2 * time.Minute
)

// play plays the conversation once, and returns how many bytes have passed and what was wrong.
func (c *conversation) play(t *testing.T, at int, way direction, how manner) (passed [2]int, wrong string) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{listener: pipe.Listen(), at: at, way: way, how: how}
		transport := &http.Transport{DialContext: w.dial, DisableCompression: true}
		s := &stage{w: w, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}, logger: slog.New(slog.DiscardHandler)}
		stop := c.serve(s)
		ctx, cancel := context.WithTimeout(context.Background(), talkTime)
		err := c.talk(ctx, s)
		switch {
		case ctx.Err() != nil:
			s.fault("the client has not found out that it is alone: %v", err)
		case err != nil && (!w.isCut() || c.returns):
			s.fault("%v", err)
		case err != nil && !promised(err):
			s.fault("an error that no documentation promises: %v", err)
		}
		cancel()
		transport.CloseIdleConnections()
		for end := time.Now().Add(serveTime); s.serving.Load() > 0; time.Sleep(time.Second) {
			if time.Now().After(end) {
				s.fault("the server has not found out that it is alone")
				break
			}
		}
		ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := stop(ctx); err != nil {
			s.fault("stopping: %v", err)
		}
		w.Close()
		time.Sleep(time.Minute) // what is closed in the background has ended then
		passed = w.total()
		if text := s.wrong.Load(); text != nil {
			wrong = *text
		}
	})
	return passed, wrong
}

// promised reports whether err is one that the documentation of our packages names, or is
// the network's own.
func promised(err error) bool {
	return err != nil && err.Error() != "" && !errors.Is(err, errWrong)
}

// errWrong is what a client returns that has got what nobody sent.
var errWrong = errors.New("wrong data")

// Wherever a conversation is cut, and in whatever manner: nothing panics, client and server
// find out in time, messages are whole or not there, and nothing is left.
func TestCut(t *testing.T) {
	for _, c := range conversations() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			total, wrong := c.play(t, -1, toServer, eof)
			if wrong != "" {
				t.Fatalf("without a cut: %s", wrong)
			}
			step := 1
			if !*everyByte {
				step = 29
			}
			for way := range total {
				for how := range manners {
					for at := 0; at < total[way]; at += step {
						if _, wrong := c.play(t, at, direction(way), how); wrong != "" {
							t.Errorf("%v after %d bytes %v: %s", how, at, direction(way), wrong)
						}
						if t.Failed() {
							return
						}
					}
				}
			}
			t.Logf("%d and %d bytes", total[0], total[1])
		})
	}
}

// web serves h on the stage, as net/http does.
func (s *stage) web(h http.Handler) (stop func()) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(s.w); !errors.Is(err, http.ErrServerClosed) {
			s.fault("serve: %v", err)
		}
	}()
	return func() {
		server.Close()
		<-done
	}
}

// conversations returns all of them.
func conversations() (all []*conversation) {
	all = append(all, webSockets()...)
	all = append(all, engines()...)
	return append(all, sockets()...)
}
