package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// The steps of a namespace's life.
var births = map[string]func(s *site){
	"pattern": func(s *site) { guard(s.io.OfPattern(regexp.MustCompile(`^/dyn-\d+$`))) },
	"function": func(s *site) {
		welcome(s.io.OfFunc(func(name string, auth json.RawMessage) bool {
			return strings.HasPrefix(name, "/dyn-") && strings.Contains(string(auth), "good")
		}))
	},
	"another pattern":  func(s *site) { s.io.OfPattern(regexp.MustCompile(`^/other$`)) },
	"another function": func(s *site) { s.io.OfFunc(func(string, json.RawMessage) bool { return false }) },
	"of":               func(s *site) { s.io.Of("/dyn-7") },
	"of without slash": func(s *site) { s.io.Of("dyn-7") },
	"emit":             func(s *site) { s.io.Of("/dyn-7").Emit("x") },
	"ask":              func(s *site) { ask(s, s.io.Of("/dyn-7")) },
	"server handler":   func(s *site) { s.io.Of("/dyn-7").OnServerEvent("x", func(*socketio.ServerEvent) {}) },
	"visit": func(s *site) {
		r := s.dial()
		r.send(`0/dyn-7,{"token":"good"}`)
		r.read()
		r.cut()
	},
	"stay": func(s *site) {
		r := s.dial()
		r.send(`0/dyn-7,{"token":"good"}`)
		r.read()
		synctest.Wait()
	},
	"intruder": func(s *site) {
		r := s.dial()
		r.send(`0/dyn-7,{"token":"bad"}`)
		if got := r.read(); !strings.HasPrefix(got, "4/dyn-7,") {
			s.t.Errorf("the intruder gets %q", got)
		}
	},
}

// ask calls what a namespace is there for during the call alone.
func ask(s *site, n *socketio.Namespace) {
	ctx := s.t.Context()
	n.To("nobody").FetchSockets(ctx)
	n.To("nobody").SocketsJoin("x")
	socketio.CallAll[any](ctx, n.To("nobody"), "x")
	if n.Name() == "" { // a template has no more methods that act
		return
	}
	n.Nodes(ctx)
	n.Rooms(ctx)
	n.Count()
	n.CountIn("x")
	n.Socket("x")
	n.ServerSideEmit("x")
	n.ServerSideCall(ctx, "x")
}

// guard lets in those with a good token.
func guard(n *socketio.Namespace) {
	n.Use(func(_ context.Context, s *socketio.Socket) error {
		if auth, _ := socketio.Auth[struct{ Token string }](s); auth.Token != "good" {
			return errors.New("token")
		}
		return nil
	})
	welcome(n)
}

// welcome greets those who are in.
func welcome(n *socketio.Namespace) { n.OnConnect(func(s *socketio.Socket) { s.Emit("welcome") }) }

// In whatever order Of, patterns, functions and clients come, nobody gets past the
// middleware of a pattern or past a function, and who gets in meets the handlers.
func TestNamespaceComesToBe(t *testing.T) {
	for _, steps := range [][]string{
		{"emit"}, {"of"}, {"of without slash"}, {"server handler"}, {"visit"}, {"stay"}, {"intruder"},
		{"emit", "visit", "emit"}, {"visit", "emit", "intruder"}, {"stay", "emit", "intruder"}, {"intruder", "of", "stay"},
		{"another pattern", "emit", "another function"}, {"server handler", "visit", "emit"},
	} {
		for _, parent := range []string{"pattern", "function"} {
			for at := range len(steps) + 1 {
				if at > 0 && slices.ContainsFunc(steps[:at], func(s string) bool { return s == "visit" || s == "stay" || s == "intruder" }) {
					break // who comes before anybody has said a word about the name is let in, or not
				}
				all := slices.Insert(slices.Clone(steps), at, parent)
				t.Run(strings.Join(all, ", "), func(t *testing.T) {
					inBubble(t, nil, func(s *site) {
						for _, step := range all {
							births[step](s)
							synctest.Wait()
						}
						births["intruder"](s)
						r := s.dial()
						r.connect(`/dyn-7,{"token":"good"}`)
						r.want(`2/dyn-7,["welcome"]`)
						r.want(`2/dyn-7,["to all"]`, func() { s.io.Of("/dyn-7").Emit("to all") })
					})
				})
			}
		}
	}
}

// A namespace that a pattern or a function has made is forgotten when nobody uses it;
// one that somebody has made, or given functions of its own, is not.
func TestNamespaceForgotten(t *testing.T) {
	for _, tt := range []struct {
		steps []string
		want  []string
	}{
		{[]string{"pattern", "visit"}, nil},
		{[]string{"function", "visit"}, nil},
		{[]string{"pattern", "emit"}, nil},
		{[]string{"pattern", "ask"}, nil},
		{[]string{"pattern", "of", "visit", "emit"}, nil},
		{[]string{"pattern", "stay"}, []string{"/dyn-7"}},
		{[]string{"pattern", "server handler", "visit"}, []string{"/dyn-7"}},
		{[]string{"of"}, []string{"/dyn-7"}},
		{[]string{"of", "visit"}, []string{"/dyn-7"}},
		{[]string{"of", "pattern", "visit"}, nil},
		{[]string{"emit", "function", "visit"}, nil},
		{[]string{"of", "stay", "pattern", "visit"}, []string{"/dyn-7"}}, // the first client is still there
		{[]string{"server handler", "pattern", "visit", "server handler"}, []string{"/dyn-7"}},
	} {
		inBubble(t, nil, func(s *site) {
			for _, step := range tt.steps {
				births[step](s)
				synctest.Wait()
			}
			if got := s.io.Namespaces(); !slices.Equal(got, append([]string{"/"}, tt.want...)) {
				t.Errorf("%v: namespaces %v, want / and %v", tt.steps, got, tt.want)
			}
		})
	}
}

// Of the patterns and functions that take a client the first one counts, and of the patterns for
// Of as well.
func TestFirstParent(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		name := func(n *socketio.Namespace, name string) {
			n.OnConnect(func(x *socketio.Socket) { x.Emit(name) })
		}
		name(s.io.OfFunc(func(name string, _ json.RawMessage) bool { return name == "/x1" }), "function")
		name(s.io.OfPattern(regexp.MustCompile(`^/x`)), "first pattern")
		name(s.io.OfPattern(regexp.MustCompile(`^/x\d`)), "second pattern")
		s.io.Of("/x3")
		for namespace, want := range map[string]string{"/x1": "function", "/x2": "first pattern", "/x3": "first pattern"} {
			r := s.dial()
			r.connect(namespace + ",")
			r.want(fmt.Sprintf("2%s,[%q]", namespace, want))
			r.wantNothing()
		}
	})
}

// So are those that were addressed by their template.
func TestTemplateForgets(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		parent := s.io.OfPattern(regexp.MustCompile(`^/dyn-`))
		r := s.dial()
		r.connect("/dyn-7,")
		synctest.Wait()
		r.want(`2/dyn-7,["x"]`, func() { parent.Emit("x") })
		ask(s, parent)
		r.cut()
		if got := s.io.Namespaces(); !slices.Equal(got, []string{"/"}) {
			t.Errorf("namespaces %v", got)
		}
	})
}

// An event for all namespaces of a template does not fail because one of them, where nobody is,
// could not be connected with other nodes.
func TestTemplateLeavesOutUnconnected(t *testing.T) {
	b := new(bus)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		if l.Name() == "/dyn-7" {
			return nil, errors.New("the broker is away")
		}
		return b.join(l)
	}}
	inBubble(t, o, func(s *site) {
		parent := s.io.OfPattern(regexp.MustCompile(`^/dyn-`))
		births["server handler"](s) // which keeps the namespace
		r := s.dial()
		r.connect("/dyn-8,")
		synctest.Wait()
		r.want(`2/dyn-8,["x"]`, func() {
			if err := parent.Emit("x"); err != nil {
				t.Error(err)
			}
		})
		if got := s.io.Namespaces(); !slices.Equal(got, []string{"/", "/dyn-7", "/dyn-8"}) {
			t.Errorf("namespaces %v", got)
		}
	})
}

// An event for all namespaces of a template reaches them all, and fails if it fails in one of
// them, whichever comes first.
func TestTemplateTellsOfFailure(t *testing.T) {
	b, away := new(bus), new(bus)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		if l.Name() == "/dyn-7" {
			return away.join(l)
		}
		return b.join(l)
	}}
	inBubble(t, o, func(s *site) {
		parent := s.io.OfPattern(regexp.MustCompile(`^/dyn-`))
		clients := make(map[string]*raw)
		for _, name := range []string{"/dyn-7", "/dyn-8"} {
			clients[name] = s.dial()
			clients[name].connect(name + ",")
		}
		synctest.Wait()
		away.fail = errors.New("the broker is away")
		for range 50 { // the order is that of a map
			if err := parent.Emit("x"); !errors.Is(err, away.fail) {
				t.Fatalf("Emit: %v", err)
			}
			for name, r := range clients {
				r.want(`2` + name + `,["x"]`)
			}
		}
	})
}

// A Namespace may be kept: what is done with it is done with the namespace that has
// its name.
func TestNamespaceKept(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OfPattern(regexp.MustCompile(`^/dyn-`))
		kept := s.io.Of("/dyn-7")
		toAll := kept.Volatile()
		r := s.dial()
		r.connect("/dyn-7,")
		synctest.Wait()
		r.want(`2/dyn-7,["kept"]`, func() { kept.Emit("kept") })
		r.want(`2/dyn-7,["emitter"]`, func() { synctest.Wait(); toAll.Emit("emitter") })
		if n := kept.Count(); n != 1 {
			t.Errorf("%d sockets", n)
		}
		if _, ok := kept.Socket(r.sid); !ok {
			t.Error("no socket with the id")
		}
		if list, err := kept.FetchSockets(s.t.Context()); len(list) != 1 || err != nil {
			t.Errorf("fetched %v, %v", list, err)
		}
		r.cut()
		welcome(kept)
		if got := s.io.Namespaces(); !slices.Equal(got, []string{"/", "/dyn-7"}) {
			t.Errorf("namespaces %v: what was given handlers is gone", got)
		}
		again := s.dial()
		again.connect("/dyn-7,")
		again.want(`2/dyn-7,["welcome"]`)
	})
}

// A namespace with handlers of its own that was there before a pattern stays as it is;
// one of Of afterwards has the pattern's, and then its own.
func TestNamespaceDeclared(t *testing.T) {
	own := func(s *site) { s.io.Of("/dyn-7").OnConnect(func(x *socketio.Socket) { x.Emit("own") }) }
	for _, before := range []bool{true, false} {
		inBubble(t, nil, func(s *site) {
			if before {
				own(s)
			}
			births["pattern"](s)
			if !before {
				own(s)
			}
			r := s.dial()
			if before {
				r.connect(`/dyn-7,{"token":"bad"}`)
			} else {
				births["intruder"](s)
				r.connect(`/dyn-7,{"token":"good"}`)
				r.want(`2/dyn-7,["welcome"]`)
			}
			r.want(`2/dyn-7,["own"]`)
		})
	}
}

// A function still decides who joins its namespace once that has handlers of its own.
func TestFunctionKeepsDeciding(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		births["function"](s)
		births["stay"](s)
		s.io.Of("/dyn-7").OnConnect(func(x *socketio.Socket) { x.Emit("own") })
		births["intruder"](s)
		r := s.dial()
		r.connect(`/dyn-7,{"token":"good"}`)
		r.want(`2/dyn-7,["welcome"]`)
		r.want(`2/dyn-7,["own"]`)
	})
}

// What becomes of a namespace while a function decides on its first client counts: one with
// handlers of its own admits everybody, and that of a pattern has the pattern's handlers, and
// not the function's.
func TestNamespaceTakenMeanwhile(t *testing.T) {
	for name, take := range map[string]func(s *site){
		"own":     func(s *site) { s.io.Of("/x").OnConnect(func(x *socketio.Socket) { x.Emit("own") }) },
		"pattern": func(s *site) { s.io.Of("/x").OnServerEvent("e", func(*socketio.ServerEvent) {}) },
	} {
		inBubble(t, nil, func(s *site) {
			asked := 0
			s.io.OfFunc(func(string, json.RawMessage) bool {
				if asked++; asked == 1 {
					take(s)
				}
				return asked < 9 // so that asking has an end
			}).OnConnect(func(x *socketio.Socket) { x.Emit("function") })
			if name == "pattern" {
				s.io.OfPattern(regexp.MustCompile("^/x$")).OnConnect(func(x *socketio.Socket) { x.Emit("pattern") })
			}
			for range 2 {
				r := s.dial()
				r.connect("/x,")
				r.want(fmt.Sprintf("2/x,[%q]", name))
				r.wantNothing()
			}
			if asked != 1 {
				t.Errorf("%s: the function was asked %d times", name, asked)
			}
		})
	}
}

// The root is nobody's child.
func TestRootIsNoChild(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OfPattern(regexp.MustCompile(``)).Use(func(context.Context, *socketio.Socket) error { return errors.New("no") })
		s.io.OfFunc(func(string, json.RawMessage) bool { return false })
		s.client()
	})
}

// Clients that join while the server emits, and others leave, meet the middleware.
func TestNamespaceRace(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		births["pattern"](s)
		births["function"](s)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 50 {
					s.io.Of("/dyn-7").Emit("x")
				}
			})
			all.Go(func() {
				for range 10 {
					births["intruder"](s)
					r := s.dial()
					r.connect(`/dyn-7,{"token":"good"}`)
					r.c.CloseNow()
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if got := s.io.Namespaces(); len(got) != 1 {
			t.Errorf("namespaces %v", got)
		}
	})
}
