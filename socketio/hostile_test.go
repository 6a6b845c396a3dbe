package socketio_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// placeholder is a binary event whose one placeholder says num.
func placeholder(num string) string {
	return `51-["a",{"_placeholder":true,"num":` + num + `}]`
}

// What has brought other servers down costs its sender the connection, and
// nobody else anything.
func TestHostilePackets(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(echo)
		neighbour := s.client()
		for _, tt := range []struct {
			name, packet string
			binary       bool
		}{
			{"placeholder with a string", placeholder(`"0"`), false},
			{"placeholder with a name", placeholder(`"splice"`), false},
			{"placeholder below zero", placeholder("-1"), false},
			{"placeholder with minus zero", placeholder("-0"), false},
			{"placeholder with a fraction", placeholder("0.5"), false},
			{"placeholder with an exponent", placeholder("0e0"), false},
			{"placeholder out of range", placeholder("10"), false},
			{"placeholder with null", placeholder("null"), false},
			{"placeholder with an object", placeholder("{}"), false},
			{"placeholder without num", `51-["a",{"_placeholder":true}]`, false},
			{"attachments below zero", `5-1-["a"]`, false},
			{"attachments with a fraction", `51.5-["a"]`, false},
			{"attachments with an exponent", `51e1-["a"]`, false},
			{"attachments over 64 bits", `518446744073709551617-["a"]`, false},
			{"attachments without a number", `5-["a"]`, false},
			{"attachments of an acknowledgement, too many", `611-1[]`, false},
			{"name is an object", `2[{"toString":"x"}]`, false},
			{"name is an array", `2[["a"]]`, false},
			{"name is a boolean", `2[true]`, false},
			{"payload ends", `2["a"`, false},
			{"payload and more", `2["a"]]`, false},
			{"control character in a string", "2[\"a\x01\"]", false},
			{"acknowledgement id over 53 bits", "29007199254740992[\"a\"]", false},
			{"too many arguments", `2["a"` + strings.Repeat(",1", socketio.MaxArguments+1) + `]`, false},
			{"too deep", `2["a",` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `]`, false},
			{"a megabyte of brackets", "2" + strings.Repeat("[", 999_000), false},
			{"a megabyte of objects", "2" + strings.Repeat(`{"a":`, 199_000), false},
			{"binary without an announcement", "x", true},
			{"empty binary without an announcement", "", true},
		} {
			r := s.client()
			if tt.binary {
				r.sendBinary(tt.packet)
			} else {
				r.send(tt.packet)
			}
			if r.wantClosed(); t.Failed() {
				t.Fatal(tt.name)
			}
		}
		neighbour.send(`2["message","still here"]`)
		neighbour.want(`2["message-back","still here"]`)
	})
}

// The number of attachments is a limit, for both directions.
func TestAttachments(t *testing.T) {
	for _, tt := range []struct{ limit, most int }{{0, 10}, {1, 1}, {12, 12}, {101, 101}, {-1, 1 << 16}, {1 << 20, 1 << 16}} {
		inBubble(t, &socketio.Options{Limits: socketio.Limits{Attachments: tt.limit}}, func(s *site) {
			s.io.OnConnect(echo)
			r := s.client()
			n := min(tt.most, 300)
			r.send(fmt.Sprintf(`5%d-["message",{"_placeholder":true,"num":%d}]`, n, n-1))
			for i := range n {
				r.sendBinary(fmt.Sprint("attachment ", i))
			}
			r.want(`51-["message-back",{"_placeholder":true,"num":0}]`)
			if got, want := r.read(), fmt.Sprint("binary:attachment ", n-1); got != want {
				t.Errorf("limit %d: got %q, want %q", tt.limit, got, want)
			}
			many := make([][]byte, tt.most+1)
			for i := range many {
				many[i] = []byte{}
			}
			if err := s.io.Emit("many", many); err == nil || !strings.Contains(err.Error(), "Limits.Attachments") {
				t.Errorf("limit %d: emitted %d: %v", tt.limit, len(many), err)
			}
			r.send(fmt.Sprintf(`5%d-["message"]`, tt.most+1))
			r.wantClosed()
			if got := s.log.String(); !strings.Contains(got, "more attachments than Limits.Attachments") {
				t.Errorf("limit %d: logged %q", tt.limit, got)
			}
		})
	}
}

// The attachments of a packet are bounded together, as a message is.
func TestAttachmentsTogether(t *testing.T) {
	for _, tt := range []struct {
		name       string
		attachment int64 // the limit
		payload    int64 // that of a message
		most       int
	}{
		{"by default", 0, 0, 1_000_000},
		{"as a message", 0, 3000, 3000},
		{"more than a message", 5000, 3000, 5000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := &socketio.Options{Limits: socketio.Limits{AttachmentBytes: tt.attachment}}
			o.Engine.Limits.MaxPayload = tt.payload
			inBubble(t, o, func(s *site) {
				lengths := make(chan int, 1)
				s.io.OnConnect(func(n *socketio.Socket) {
					socketio.On(n, "parts", func(_ context.Context, parts [][]byte) error {
						lengths <- len(bytes.Join(parts, nil))
						return nil
					})
				})
				r := s.client()
				send := func(bytes int) {
					r.send(`52-["parts",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]`)
					r.sendBinary(strings.Repeat("x", bytes/2))
					r.sendBinary(strings.Repeat("y", bytes-bytes/2))
				}
				send(tt.most)
				if got := <-lengths; got != tt.most {
					t.Errorf("%d bytes came, want %d", got, tt.most)
				}
				send(tt.most + 1)
				r.wantClosed()
				if !strings.Contains(s.log.String(), "attachments over Limits.AttachmentBytes") {
					t.Errorf("log: %s", s.log)
				}
			})
		})
	}
}

// What only looks hostile is ordinary: names that JavaScript's objects have
// without being asked, one attachment in many places, limits to the full.
func TestHarmlessPackets(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		names := []string{"__proto__", "constructor", "toString", "hasOwnProperty", "error", "ping", ""}
		s.io.OnConnect(func(n *socketio.Socket) {
			for _, name := range names {
				n.OnEvent(name, func(e *socketio.Event) error { return e.Ack(e.Name()) })
			}
			echo(n)
		})
		r := s.client()
		for _, name := range names {
			r.send(fmt.Sprintf(`21[%q,{"__proto__":{"x":1}}]`, name))
			r.want(fmt.Sprintf(`31[%q]`, name))
		}
		twice := `51-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`
		r.send(twice)
		r.sendBinary("x")
		r.want(`52-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		r.want("binary:x")
		r.want("binary:x")
		data := `{"_placeholder":true,"num":7}` // in a packet without attachments
		r.send(`2["message",` + data + `]`)
		r.want(`2["message-back",` + data + `]`)
		most := strings.Repeat(",1", socketio.MaxArguments)
		r.send(`2["message"` + most + `]`)
		r.want(`2["message-back"` + most + `]`)
		deep := strings.Repeat("[", 63) + strings.Repeat("]", 63)
		r.send(`2["message",` + deep + `]`)
		r.want(`2["message-back",` + deep + `]`)
	})
}

// An acknowledgement without an id is none, also not of the first call.
func TestAckWithoutID(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r := s.client()
		got := make(chan string, 1)
		go func() {
			list, err := socketio.CallAll[int](context.Background(), s.io, "q")
			got <- fmt.Sprint(list, err)
		}()
		r.want(`20["q"]`)
		r.send("3[]")
		r.send("30[1]")
		if got := <-got; got != "[1] <nil>" {
			t.Errorf("answers %s", got)
		}
	})
}
