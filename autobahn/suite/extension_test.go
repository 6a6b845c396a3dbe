package suite

import "testing"

// The answers of the suite's server to the offers of clients.
func TestAnswer(t *testing.T) {
	const hints = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
	nine := []ask{{bits: 9}}
	first := []ask{{noTakeover: true, bits: 9}, {noTakeover: true}}
	for _, tt := range []struct {
		name, offer string
		asks        []ask
		want        string
		agreed      agreement
	}{
		{"plain, the hints are not repeated", hints, []ask{{}}, "permessage-deflate",
			agreement{direction{bits: 15}, direction{bits: 15}}},
		{"the server's parameters are", hints + "; server_no_context_takeover; server_max_window_bits=10", []ask{{}},
			"permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
			agreement{direction{noTakeover: true, bits: 10}, direction{bits: 15}}},
		{"asked of the client", hints, nine, "permessage-deflate; client_max_window_bits=9",
			agreement{direction{bits: 15}, direction{bits: 9}}},
		{"not more than it offers", "permessage-deflate; client_max_window_bits=8", nine, "permessage-deflate; client_max_window_bits=8",
			agreement{direction{bits: 15}, direction{bits: 8}}},
		{"second choice", "permessage-deflate", first, "permessage-deflate; client_no_context_takeover",
			agreement{direction{bits: 15}, direction{noTakeover: true, bits: 15}}},
		{"second offer", "permessage-deflate, " + hints, nine, "permessage-deflate; client_max_window_bits=9",
			agreement{direction{bits: 15}, direction{bits: 9}}},
		{"other extension", `x; y="a b"; z, ` + hints, []ask{{}}, "permessage-deflate",
			agreement{direction{bits: 15}, direction{bits: 15}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			offers, err := parseExtensions(tt.offer, true)
			if err != nil {
				t.Fatal(err)
			}
			got, g := answer(offers, tt.asks)
			if got != tt.want || g == nil || *g != tt.agreed {
				t.Errorf("got %q, %+v, want %q, %+v", got, g, tt.want, tt.agreed)
			}
		})
	}
	for _, declined := range []string{"", "x", "permessage-deflate; server_no_context_takeover"} {
		offers, err := parseExtensions(declined, true)
		if got, g := answer(offers, nine); err != nil || got != "" || g != nil {
			t.Errorf("%q: got %q, %+v, %v", declined, got, g, err)
		}
	}
}

func TestAgreed(t *testing.T) {
	asks := []ask{{noTakeover: true, bits: 9}, {noTakeover: true}, {}}
	for _, tt := range []struct {
		name, answer string
		asks         []ask
		want         agreement
		broken       bool // the answer lacks the promise that was asked for
	}{
		{"as asked", "permessage-deflate; server_max_window_bits=9", []ask{{bits: 9}}, agreement{direction{bits: 15}, direction{bits: 9}}, false},
		{"less than asked", "permessage-deflate; server_max_window_bits=8", []ask{{bits: 9}}, agreement{direction{bits: 15}, direction{bits: 8}}, false},
		{"left out", "permessage-deflate", []ask{{bits: 9}}, agreement{direction{bits: 15}, direction{bits: 15}}, true},
		{"more than asked", "permessage-deflate; server_max_window_bits=12", []ask{{bits: 9}}, agreement{direction{bits: 15}, direction{bits: 12}}, true},
		{"takeover left out", "permessage-deflate", []ask{{noTakeover: true}}, agreement{direction{bits: 15}, direction{bits: 15}}, true},
		{"takeover unasked", "permessage-deflate; server_no_context_takeover", []ask{{}},
			agreement{direction{bits: 15}, direction{noTakeover: true, bits: 15}}, false},
		{"third offer", "permessage-deflate; client_max_window_bits=10", asks, agreement{direction{bits: 10}, direction{bits: 15}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, promise, err := agreed(tt.answer, tt.asks)
			if err != nil || *g != tt.want || (promise != "") != tt.broken {
				t.Errorf("got %+v, %q, %v, want %+v", g, promise, err, tt.want)
			}
		})
	}
}

// An illegal answer or offer fails the handshake.
func TestIllegalTerms(t *testing.T) {
	for _, parameters := range []string{
		"x", "server_no_context_takeover=1", "client_no_context_takeover=true",
		"server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=09",
		"server_max_window_bits=+9", "client_max_window_bits=", "client_max_window_bits=9; client_max_window_bits=9", "",
	} {
		for _, request := range []bool{false, true} {
			if t1, err := parseExtensions("permessage-deflate; "+parameters, request); err == nil {
				t.Errorf("%q, request %v: got %+v", parameters, request, t1)
			}
		}
	}
	for _, answer := range []string{"x", "permessage-deflate; client_max_window_bits", "permessage-deflate, permessage-deflate"} {
		if g, _, err := agreed(answer, []ask{{}}); err == nil {
			t.Errorf("answer %q: got %+v", answer, g)
		}
	}
}

func TestOffer(t *testing.T) {
	const hints = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
	asks := []ask{{noTakeover: true, bits: 9}, {noTakeover: true}, {}}
	want := hints + "; server_no_context_takeover; server_max_window_bits=9, " + hints + "; server_no_context_takeover, " + hints
	if got := offer(asks); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
