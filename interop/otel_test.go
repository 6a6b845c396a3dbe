package interop

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
)

// ended is a trace.SpanProcessor that sends each span that has ended.
type ended chan trace.ReadOnlySpan

func (ended) OnStart(context.Context, trace.ReadWriteSpan) {}
func (e ended) OnEnd(s trace.ReadOnlySpan)                 { e <- s }
func (ended) Shutdown(context.Context) error               { return nil }
func (ended) ForceFlush(context.Context) error             { return nil }

// TestOpenTelemetry runs a connection through otelhttp's transport and its
// handler. The client's span lasts as long as the connection, whoever ends it,
// and tells of no error: neither the end of a ctx nor the keepalive makes a read
// of the response's body fail.
func TestOpenTelemetry(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, s session)
		tls  bool
	}{
		{"we close", weClose, false},
		{"the server closes", serverCloses, false},
		{"we close, TLS", weClose, true},
		{"the server closes, TLS", serverCloses, true},
	} {
		t.Run(tt.name, func(t *testing.T) { traced(t, tt.tls, tt.end) })
	}
}

func weClose(t *testing.T, s session) {
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func serverCloses(t *testing.T, s session) {
	if err := s.write(frame.Text, []byte("bye"), 1); err != nil {
		t.Error(err)
	}
	_, _, err := s.read()
	if closed, ok := errors.AsType[closedError](err); !ok || closed.code != frame.StatusNormalClosure {
		t.Errorf("read: %v", err)
	}
}

func traced(t *testing.T, tls bool, end func(t *testing.T, s session)) {
	spans := make(ended, 10)
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	web := httptest.NewUnstartedServer(otelhttp.NewHandler(ours.handler(plain, untilBye), "server",
		otelhttp.WithTracerProvider(trace.NewTracerProvider())))
	if tls {
		web.StartTLS()
	} else {
		web.Start()
	}
	defer web.Close()
	client := *web.Client()
	client.Transport = otelhttp.NewTransport(client.Transport, otelhttp.WithTracerProvider(provider))
	hs, _, err := handshake.Dial(t.Context(), strings.Replace(web.URL, "http", "ws", 1), &handshake.DialOptions{HTTPClient: &client})
	if err != nil {
		t.Fatal(err)
	}
	c, err := conn.New(hs, conn.RoleClient, &conn.Options{Limits: conn.Limits{PingInterval: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	s := ourSession{c}
	for _, size := range []int{0, 10, 1000, 100_000} {
		// Nothing comes, so that ctx ends the read, and Pings are sent meanwhile.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		cancel()
		want := strings.Repeat("x", size)
		if err := s.write(frame.Text, []byte(want), 1); err != nil {
			t.Fatal(err)
		}
		if _, got, err := s.read(); err != nil || string(got) != want {
			t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	select {
	case s := <-spans:
		t.Fatalf("span %q has ended before its connection", s.Name())
	default:
	}
	end(t, s)
	select {
	case s := <-spans:
		if events := s.Events(); len(events) > 0 || s.Status().Code == codes.Error {
			t.Errorf("events %+v, status %+v", events, s.Status())
		}
		if s.InstrumentationScope().Name != otelhttp.ScopeName {
			t.Errorf("span of %q", s.InstrumentationScope().Name)
		}
	case <-time.After(patience):
		t.Fatal("the span has not ended")
	}
	web.Close()
	if len(spans) > 0 {
		t.Errorf("%d spans more", len(spans))
	}
}

// untilBye sends back each message, and closes the connection after "bye".
func untilBye(s session) {
	for {
		op, p, err := s.read()
		if err != nil {
			return
		}
		if string(p) == "bye" {
			s.close()
			return
		}
		if s.write(op, p, 1) != nil {
			return
		}
	}
}
