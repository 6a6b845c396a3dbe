package conn

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parleyws/parley/internal/requestvalues"
)

type userKey struct{}

// embedded is a context that says nothing of itself.
type embedded struct{ context.Context }

func (e embedded) Value(key any) any {
	if key == (userKey{}) {
		return "user"
	}
	return e.Context.Value(key)
}

func (embedded) String() string { return "embedded" }

// TestContextValues: the ctx of Serve has the values of the request's, whoever put
// them there, and a request's ctx without any of a user's is not kept.
func TestContextValues(t *testing.T) {
	with := func(ctx context.Context) context.Context { return context.WithValue(ctx, userKey{}, "user") }
	cancelled := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(errors.New("the request's"))
		return ctx
	}
	for name, tt := range map[string]struct {
		base       func(net.Listener) context.Context
		conn       func(context.Context, net.Conn) context.Context
		middleware func(context.Context) context.Context
		tls        bool
		plain      bool
	}{
		"plain":                        {plain: true},
		"plain, TLS":                   {plain: true, tls: true},
		"plain, given again":           {plain: true, middleware: func(ctx context.Context) context.Context { return ctx }},
		"plain, BaseContext":           {plain: true, base: func(net.Listener) context.Context { return context.Background() }},
		"BaseContext":                  {base: func(net.Listener) context.Context { return with(context.Background()) }},
		"ConnContext":                  {conn: func(ctx context.Context, _ net.Conn) context.Context { return with(ctx) }},
		"middleware":                   {middleware: with},
		"middleware, TLS":              {middleware: with, tls: true},
		"middleware, cancelled":        {middleware: func(ctx context.Context) context.Context { return cancelled(with(ctx)) }},
		"middleware, twice":            {middleware: func(ctx context.Context) context.Context { return cancelled(with(cancelled(ctx))) }},
		"middleware, WithoutCancel":    {middleware: func(ctx context.Context) context.Context { return with(context.WithoutCancel(ctx)) }},
		"middleware, its own type":     {middleware: func(ctx context.Context) context.Context { return embedded{ctx} }},
		"middleware, below its cancel": {middleware: func(ctx context.Context) context.Context { return cancelled(embedded{ctx}) }},
	} {
		t.Run(name, func(t *testing.T) {
			type seen struct {
				kept          requestvalues.Values
				user          any
				local, server bool
			}
			saw := make(chan seen, 1)
			s := &Server{Serve: func(ctx context.Context, c *Conn, r *http.Request) error {
				if done := r.Context().Done(); done != nil {
					<-done // the request's ctx ends, and this one does not
				}
				if err := context.Cause(ctx); err != nil {
					t.Errorf("the ctx has ended: %v", err)
				}
				local, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
				server, _ := ctx.Value(http.ServerContextKey).(*http.Server)
				got := seen{
					valuesOf(c), ctx.Value(userKey{}), local != nil && local.String() == c.LocalAddr().String(),
					server != nil && server == r.Context().Value(http.ServerContextKey),
				}
				c.CloseNow()
				if err := context.Cause(ctx); err != context.Canceled {
					t.Errorf("the ctx has ended with %v", err)
				}
				saw <- got
				return nil
			}}
			ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.middleware != nil {
					r = r.WithContext(tt.middleware(r.Context()))
				}
				s.ServeHTTP(w, r)
			}))
			ts.Config.BaseContext, ts.Config.ConnContext = tt.base, tt.conn
			if tt.tls {
				ts.StartTLS()
			} else {
				ts.Start()
			}
			defer ts.Close()
			o := &DialOptions{}
			o.Handshake.HTTPClient = ts.Client()
			c, _, err := Dial(t.Context(), ts.URL, o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { <-c.Done() }()
			defer c.CloseNow()
			got := <-saw
			if !got.local || !got.server {
				t.Error("a value of net/http is missing")
			}
			if want := map[bool]any{true: nil, false: "user"}[tt.plain]; got.user != want {
				t.Errorf("the user's value is %v, want %v", got.user, want)
			}
			if requestvalues.IsPlain(got.kept) != tt.plain {
				t.Errorf("kept %T", got.kept)
			}
		})
	}
}

// valuesOf returns what c holds of its request's ctx.
func valuesOf(c *Conn) requestvalues.Values {
	if c.terms == nil {
		return nil
	}
	return c.terms.values
}
