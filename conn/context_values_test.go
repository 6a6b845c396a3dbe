package conn

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
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

// TestContextOfItsOwn: the ctx of a connection to which nobody has given values has its address
// alone, whatever was settled in its handshake, and no deadline.
func TestContextOfItsOwn(t *testing.T) {
	for _, role := range []Role{RoleServer, RoleClient} {
		for _, subprotocol := range []string{"", "chat"} {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			c := must(New(&handshake.Result{Conn: ours, Subprotocol: subprotocol}, role, nil))
			defer c.CloseNow()
			ctx := connContext{c}
			if d, ok := ctx.Deadline(); ok {
				t.Errorf("the deadline is %v, want none", d)
			}
			if v := ctx.Value(userKey{}); v != nil {
				t.Errorf("the user's value is %v", v)
			}
			if v := ctx.Value(http.LocalAddrContextKey); v != c.LocalAddr() {
				t.Errorf("the address is %v, want %v", v, c.LocalAddr())
			}
		}
	}
}

// TestContextAddress: an address that the request's ctx has, such as one that a proxy has told, goes
// before the stream's.
func TestContextAddress(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
	defer c.CloseNow()
	told := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}
	c.setValues(requestvalues.Of(context.WithValue(context.Background(), http.LocalAddrContextKey, told)))
	if v := (connContext{c}).Value(http.LocalAddrContextKey); v != told {
		t.Errorf("the address is %v, want %v", v, told)
	}
}

// TestPlainConnectionsShareTerms: connections about which there is nothing to know hold nothing,
// and those of a Server share the values of their requests.
func TestPlainConnectionsShareTerms(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	alone := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
	defer alone.CloseNow()
	if alone.terms != nil {
		t.Errorf("a plain connection holds %+v", alone.terms)
	}
	served := make(chan *Conn)
	o := &AcceptOptions{Handshake: handshake.Options{Subprotocols: []string{"chat"}}}
	ts := httptest.NewServer(&Server{Options: o, Serve: func(_ context.Context, c *Conn, _ *http.Request) error {
		served <- c
		return nil
	}})
	defer ts.Close()
	var terms []*terms
	for _, subprotocols := range [][]string{nil, nil, {"chat"}, nil} {
		c, _, err := Dial(t.Context(), ts.URL, &DialOptions{Handshake: handshake.DialOptions{Subprotocols: subprotocols}})
		if err != nil {
			t.Fatal(err)
		}
		terms = append(terms, (<-served).terms)
		c.CloseNow()
		<-c.Done()
	}
	if terms[0] == nil || terms[0] != terms[1] || terms[0] != terms[3] {
		t.Errorf("%+v are not shared", terms)
	}
	if chat := terms[2]; chat.subprotocol != "chat" || chat.values != terms[0].values {
		t.Errorf("with a subprotocol: %+v, want the same values", chat)
	}
}

// TestContextForgets: who stops watching the end of a connection is not called and not kept.
func TestContextForgets(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := must(New(&handshake.Result{Conn: ours}, RoleServer, nil))
	for range 10 {
		stop := connContext{c}.AfterFunc(func() { t.Error("it was called") })
		if !stop() || stop() {
			t.Error("the first call of stop came in time, and no other one")
		}
	}
	c.life.mu.Lock()
	if n := len(c.life.notes.funcs); n > 0 {
		t.Errorf("%d functions are kept", n)
	}
	c.life.mu.Unlock()
	called := make(chan struct{})
	stop := connContext{c}.AfterFunc(func() { called <- struct{}{} })
	connContext{c}.AfterFunc(func() { called <- struct{}{} })
	c.CloseNow()
	<-called
	<-called
	late := connContext{c}.AfterFunc(func() { called <- struct{}{} })
	<-called
	if stop() || late() {
		t.Error("stop came in time after the call")
	}
	<-c.Done()
}

// A listing is a context that can't be compared.
type listing struct {
	context.Context
	list []string
}

// TestIncomparableContext: the contexts of requests are not compared, which some types do not
// allow.
func TestIncomparableContext(t *testing.T) {
	s := &Server{Serve: func(context.Context, *Conn, *http.Request) error { return nil }}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(listing{r.Context(), nil}))
	}))
	defer web.Close()
	for range 2 {
		c, _, err := Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); CloseStatus(err) != frame.StatusNormalClosure {
			t.Error(err)
		}
		<-c.Done()
	}
}

// TestValuesOfTwoServers: each connection has the http.Server that it has come by.
func TestValuesOfTwoServers(t *testing.T) {
	got := make(chan any, 1)
	s := &Server{Serve: func(ctx context.Context, _ *Conn, _ *http.Request) error {
		got <- ctx.Value(http.ServerContextKey)
		return nil
	}}
	for range 2 {
		web := httptest.NewServer(s)
		defer web.Close()
		c, _, err := Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if server := <-got; server != web.Config {
			t.Errorf("the connection has the server %p, want %p", server, web.Config)
		}
		c.Read(t.Context())
		<-c.Done()
	}
}
