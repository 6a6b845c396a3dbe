package proof

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// binaryMark is where a fuzzed document has binary data instead of a string.
const binaryMark = "BINARY"

// What a client emits is what its server decodes, and what the server answers with is what the
// client decodes, over each transport: text, numbers, nested values, and binary data in any place.
func FuzzCodecs(f *testing.F) {
	f.Add(`["a",1,-2.5e3,{"b":[true,false,null]},"\u00e9\\"]`, []byte("x"), false)
	f.Add(`["BINARY",{"data":"BINARY","list":[1,"BINARY"]}]`, []byte{0, 0x1e, 'b', 255}, true)
	f.Add(`[{"_placeholder":true,"num":0},"there"]`, []byte(nil), false)
	f.Add(`null`, []byte(nil), true) // no list
	f.Add(`["\u0000\u001e\u2028\ud83d\ude00",[],{}]`, []byte(nil), true)
	var got []any // by the server
	server, err := socketio.NewServer(nil)
	if err != nil {
		f.Fatal(err)
	}
	server.OnConnect(func(s *socketio.Socket) {
		s.OnEvent("there", func(e *socketio.Event) (err error) {
			if got, err = e.Args(); err != nil {
				return err
			}
			return e.Ack(got...)
		})
	})
	l := pipe.Listen()
	web := &http.Server{Handler: server}
	go web.Serve(l)
	f.Cleanup(func() { web.Close() })
	clients := map[bool]*socketio.Client{}
	for polling, transport := range map[bool]string{false: "websocket", true: "polling"} {
		c, err := socketio.Dial(f.Context(), "http://example.com/", &socketio.DialOptions{
			Engine: engineio.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: l.DialContext}}, Transports: []string{transport}},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(c.Close)
		clients[polling] = c
	}
	f.Fuzz(func(t *testing.T, document string, data []byte, polling bool) {
		args := []any{}
		if len(document)+14*len(data) > 100_000 { // it would be longer than a packet may be
			return
		}
		if json.Unmarshal([]byte(document), &args) != nil || args == nil || len(args) >= socketio.MaxArguments {
			return
		}
		w := walk{data: append([]byte{}, data...)}
		w.walk(args, 1)
		if w.marks > 10 || w.marks > 0 && w.holds || w.depth >= socketio.MaxDepth {
			return
		}
		answer, err := socketio.Call[*socketio.Args](t.Context(), clients[polling].Timeout(time.Minute), "there", args...)
		if err != nil {
			t.Fatalf("%q: %v", document, err)
		}
		back := make([]any, answer.Len())
		for i := range back {
			if err := answer.Decode(i, &back[i]); err != nil {
				t.Fatal(err)
			}
		}
		if !cmp.Equal(got, args) || !cmp.Equal(back, args) {
			t.Fatalf("the client has sent\n%#v,\nthe server has got\n%#v,\nthe client has got back\n%#v", args, got, back)
		}
	})
}

// A walk puts data where a document has the mark, and sees what kind of document it is.
type walk struct {
	data  []byte
	marks int
	holds bool // an object that looks as if it held the place of binary data
	depth int
}

func (w *walk) walk(v any, depth int) any {
	switch v := v.(type) {
	case string:
		if v == binaryMark {
			w.marks++
			return w.data
		}
	case []any:
		w.depth = max(w.depth, depth)
		for i := range v {
			v[i] = w.walk(v[i], depth+1)
		}
	case map[string]any:
		w.depth = max(w.depth, depth)
		w.holds = w.holds || v["_placeholder"] == true
		for k := range v {
			v[k] = w.walk(v[k], depth+1)
		}
	}
	return v
}
