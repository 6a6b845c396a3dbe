package conn_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// A client that goes away in its handshake is not worth a line in the log.
func TestHangUpIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	w := serveConns(t, &conn.Server{Serve: echo})
	nc := w.connect()
	io.WriteString(nc, rawRequest("")[:20])
	nc.(interface{ CloseWrite() error }).CloseWrite()
	io.ReadAll(nc)
	wantNoError(t, w.s.Shutdown(t.Context())) // the log is written
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}

// A client that has not sent its request holds no buffer on a loop.
func TestSilentNewcomersHoldNoBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := serveConns(t, &conn.Server{
			Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}},
			Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
				return func(conn.Message) error { return nil }
			},
		})
		w.connect()
		synctest.Wait()
		const newcomers = 1000
		before := heap()
		for range newcomers {
			w.connect()
		}
		synctest.Wait()
		if each := (heap() - before) / newcomers; each > 3<<10 {
			t.Errorf("each holds %d bytes", each)
		}
	})
}

// A request that is refused on a loop is answered, and OnRefuse is told.
func TestRefusedOnALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 2)
		w := serveConns(t, &conn.Server{
			Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}},
			Handle: func(context.Context, *conn.Conn, *http.Request) func(conn.Message) error {
				t.Error("served")
				return nil
			},
			OnRefuse: func(_ *http.Request, err error) { told <- err },
		})
		nc := w.connect()
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: memory.test\r\n\r\n")
		nc.(interface{ CloseWrite() error }).CloseWrite()
		if answer, err := io.ReadAll(nc); !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) || err != nil {
			t.Errorf("the answer is %q, %v", answer, err)
		}
		if err := <-told; err == nil {
			t.Error("OnRefuse is told nothing")
		}
	})
}

// What OnError is told is not logged as well.
func TestToldIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	told := make(chan error, 1)
	s := &conn.Server{
		Serve:   func(context.Context, *conn.Conn, *http.Request) error { return errEnough },
		OnError: func(_ *conn.Conn, err error) { told <- err },
	}
	_, _, err := mustDial(t, serveInMemory(t, s)).Read(t.Context())
	wantClosed(t, err, frame.StatusInternalError)
	wantError(t, <-told, errEnough)
	wantNoError(t, s.Shutdown(t.Context())) // the log is written
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}
