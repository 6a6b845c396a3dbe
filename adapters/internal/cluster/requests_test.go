package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// told notes what Replies is told.
type told struct{ strings.Builder }

func (t *told) Expect(n int)             { fmt.Fprintf(t, "expect %d;", n) }
func (t *told) Reply(e socketio.Encoded) { fmt.Fprintf(t, "%s;", e.Data) }

// What comes for a request, in each order and as often as it likes.
func TestRequests(t *testing.T) {
	count := func(uid string, n int) Message { return Message{Type: Clients, UID: uid, Count: n} }
	ack := func(uid, data string) Message {
		return Message{Type: Ack, UID: uid, Answer: socketio.Encoded{Data: []byte(data)}}
	}
	server := func(uid, data string) Message {
		return Message{Type: ServerAnswer, UID: uid, Answer: socketio.Encoded{Data: []byte(data)}}
	}
	fetched := func(uid string, n int) Message {
		return Message{Type: Fetched, UID: uid, Sockets: make([]socketio.RemoteSocket, n)}
	}
	gone := func(uid string) Message { return Message{Type: Gone, UID: uid} }
	expect := func(n int, names ...string) Message { return Message{Type: Hello, Count: n, Rooms: names} }
	for _, tt := range []struct {
		name string
		kind Type
		come []Message
		want string // what Replies was told
		done bool
		err  error
	}{
		{"nobody to ask", Clients, []Message{expect(0)}, "", true, nil},
		{"no client there", Clients, []Message{expect(1), count("b", 0)}, "expect 0;", true, nil},
		{"an acknowledgement", Clients, []Message{expect(1), count("b", 1), ack("b", "1")}, "expect 1;1;", true, nil},
		{"acknowledgement before the number", Clients, []Message{ack("b", "1"), expect(1), count("b", 1)}, "1;expect 1;", true, nil},
		{"number of nodes last", Clients, []Message{count("b", 1), ack("b", "1"), expect(1)}, "expect 1;1;", true, nil},
		{"two nodes", Clients, []Message{expect(2), count("b", 1), ack("b", "1"), count("c", 0)}, "expect 1;1;expect 0;", true, nil},
		{"one of two nodes", Clients, []Message{expect(2), count("b", 1), ack("b", "1")}, "expect 1;1;", false, nil},
		{"one acknowledgement is missing", Clients, []Message{expect(1), count("b", 2), ack("b", "1")}, "expect 2;1;", false, nil},
		{"a number twice", Clients, []Message{expect(2), count("b", 0), count("b", 0)}, "expect 0;", false, nil},
		{"too many acknowledgements", Clients, []Message{expect(2), count("b", 1), ack("b", "1"), ack("b", "2")}, "expect 1;1;", false, nil},
		{"a negative number", Clients, []Message{expect(1), count("b", -1)}, "", false, errAnswer},
		{"nobody's answer", Clients, []Message{expect(1), count("", 1)}, "", false, errAnswer},
		{"another answer", Clients, []Message{expect(1), server("b", "1")}, "", false, errAnswer},
		{"a node goes", Clients, []Message{expect(2, "b", "c"), count("b", 1), count("c", 0), gone("b")}, "expect 1;expect 0;", true, errGone},
		{"a node goes first", Clients, []Message{gone("b"), expect(1, "b")}, "", true, errGone},
		{"a node goes that is not asked", Clients, []Message{gone("d"), expect(1, "b")}, "", false, nil},
		{"a node goes that has answered", Clients, []Message{expect(1, "b"), count("b", 0), gone("b")}, "expect 0;", true, nil},
		{"another node answers too", Clients, []Message{expect(1, "b"), count("c", 0)}, "expect 0;", false, nil},
		{"servers", ServerAnswer, []Message{expect(2), server("b", "1"), server("b", "1"), server("c", "2")}, "expect 2;1;2;", true, nil},
		{"a server is missing", ServerAnswer, []Message{expect(2), server("b", "1")}, "expect 2;1;", false, nil},
		{"an acknowledgement for a server", ServerAnswer, []Message{expect(1), ack("b", "1")}, "expect 1;", false, errAnswer},
		{"sockets", Fetched, []Message{expect(2), fetched("b", 2), fetched("b", 2), fetched("c", 1)}, "3 sockets;", true, nil},
		{"after the end", Fetched, []Message{expect(1), fetched("b", 1), fetched("c", 1)}, "1 sockets;", true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r requests
			log := new(told)
			q := r.begin(tt.kind)
			q.replies = log
			var err error
			for _, m := range tt.come {
				switch m.Request = q.id; m.Type {
				case Hello:
					r.expect(q, m.Count, m.Rooms)
				case Gone:
					r.gone(m.UID)
				default:
					err = errors.Join(err, r.answer(&m))
				}
			}
			done := false
			select {
			case <-q.done:
				done, err = true, q.err
			default:
			}
			r.end(q)
			if tt.kind == Fetched {
				fmt.Fprintf(log, "%d sockets;", len(q.sockets))
			}
			if log.String() != tt.want || done != tt.done || !errors.Is(err, tt.err) {
				t.Errorf("told %q, done %t, %v; want %q, %t, %v", log, done, err, tt.want, tt.done, tt.err)
			}
			if len(r.byID) > 0 || r.answer(&Message{Type: Clients, UID: "b", Request: q.id}) != nil || log.String() != tt.want {
				t.Error("it is not over")
			}
		})
	}
}

// No more nodes may answer than a cluster can have.
func TestManyNodesAnswer(t *testing.T) {
	var r requests
	q := r.begin(Fetched)
	for i := range maxNodes {
		if err := r.answer(&Message{Type: Fetched, UID: fmt.Sprint(i), Request: q.id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.answer(&Message{Type: Fetched, UID: "more", Request: q.id}); err != errAnswer {
		t.Errorf("one more: %v", err)
	}
}
