package parser_test

import (
	"encoding/json"
	"testing"

	"github.com/parleyws/parley/parser"
)

func TestTypeString(t *testing.T) {
	want := []string{"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "unknown"}
	for i, name := range want {
		if got := parser.Type(i).String(); got != name {
			t.Errorf("Type(%d) = %q, want %q", i, got, name)
		}
	}
}

// Prepend copies Data only where there is no room before it.
func TestPrepend(t *testing.T) {
	for _, tt := range []struct {
		name  string
		room  int
		head  string
		moved bool
	}{
		{"more room than needed", 5, "42", false},
		{"just enough", 2, "42", false},
		{"nothing before it", 3, "", false},
		{"too little", 1, "42", true},
		{"none", 0, "42", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p parser.Packet
			p.SetData(append(make([]byte, tt.room), `["a"]`...), tt.room)
			got := p.Prepend([]byte(tt.head))
			if string(got) != tt.head+`["a"]` || string(p.Data) != `["a"]` {
				t.Errorf("got %q, the data is %q", got, p.Data)
			}
			if moved := &got[len(tt.head)] != &p.Data[0]; moved != tt.moved {
				t.Errorf("data was copied: %t, want %t", moved, tt.moved)
			}
		})
	}
}

func TestAppendPlaceholder(t *testing.T) {
	for _, num := range []int{0, 9, 10, 65535} {
		var got struct {
			Placeholder bool `json:"_placeholder"`
			Num         int
		}
		text := parser.AppendPlaceholder([]byte("before"), num)
		if err := json.Unmarshal(text[len("before"):], &got); err != nil || !got.Placeholder || got.Num != num {
			t.Errorf("placeholder %d is %s", num, text)
		}
	}
}

// JavaScript's Number.MAX_SAFE_INTEGER.
func TestMaxID(t *testing.T) {
	if parser.MaxID != 9007199254740991 {
		t.Errorf("MaxID is %d", uint64(parser.MaxID))
	}
}

// Reset keeps memory and lets go of what belongs to others.
func TestReset(t *testing.T) {
	p := parser.Packet{
		Type: parser.Ack, Namespace: []byte("/a"), HasID: true, ID: 1, Data: []byte("[]"), Args: make([]parser.Span, 1),
		Placeholders: make([]parser.Placeholder, 1), Binary: [][]byte{[]byte("x")}, Attachments: 1, Scratch: []byte("s"),
	}
	p.Reset()
	if p.Type != 0 || p.HasID || p.ID != 0 || p.Attachments != 0 || len(p.Namespace)+len(p.Data)+len(p.Args)+len(p.Placeholders)+len(p.Binary) != 0 {
		t.Errorf("after Reset: %+v", p)
	}
	if cap(p.Namespace) == 0 || cap(p.Data) == 0 || cap(p.Args) == 0 || cap(p.Placeholders) == 0 || string(p.Scratch) != "s" {
		t.Errorf("memory was dropped: %+v", p)
	}
	if p.Binary[:1][0] != nil {
		t.Error("binary data is still held")
	}
}

func TestError(t *testing.T) {
	if got := parser.ErrType.Error(); got != "socket.io: unknown packet type" {
		t.Errorf("error: %s", got)
	}
}
