package handshake

import (
	"strconv"
	"testing"
)

// agreeServer negotiates as the server does and returns the answer, "" if every
// offer was declined, "malformed" if the field breaks the grammar.
func agreeServer(o *DeflateOptions, offers ...string) (answer string, terms *Deflate) {
	r := request{options: &Options{Deflate: o}}
	for _, v := range offers {
		r.addExtensions([]byte(v))
	}
	switch {
	case r.malformed != "":
		return "malformed", nil
	case !r.agreed:
		return "", nil
	}
	return string(r.answer.append(nil)), &r.deflate
}

// Short forms of the parameters' names, for the tables.
const (
	pd  = "permessage-deflate"
	snt = "; server_no_context_takeover"
	cnt = "; client_no_context_takeover"
	smw = "; server_max_window_bits"
	cmw = "; client_max_window_bits"
)

var (
	takeover = &DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true}
	none     = &DeflateOptions{}
	small    = &DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 9}
)

// TestDeflateOffers is RFC 7692, section 7.1, seen from the server: each
// parameter that an offer may have, and what comes back.
func TestDeflateOffers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options *DeflateOptions
		offer   string
		answer  string
		terms   Deflate // if there is an answer
	}{
		// No parameter at all.
		{"bare", takeover, pd, pd, Deflate{false, false, 15, 15}},
		{"bare, no takeover here", none, pd, pd + snt + cnt, Deflate{true, true, 15, 15}},
		{"bare, small windows here", small, pd, pd + smw + "=10", Deflate{false, false, 10, 15}},

		// Section 7.1.1.1.
		{"server_no_context_takeover", takeover, pd + snt, pd + snt, Deflate{true, false, 15, 15}},
		{"server_no_context_takeover, none here", none, pd + snt, pd + snt + cnt, Deflate{true, true, 15, 15}},
		{"server_no_context_takeover with a value", takeover, pd + snt + "=1", "", Deflate{}},
		{"server_no_context_takeover with a quoted value", takeover, pd + snt + `="true"`, "", Deflate{}},
		{"server_no_context_takeover twice", takeover, pd + snt + snt, "", Deflate{}},

		// Section 7.1.1.2.
		{"client_no_context_takeover", takeover, pd + cnt, pd + cnt, Deflate{false, true, 15, 15}},
		{"client_no_context_takeover, none here", none, pd + cnt, pd + snt + cnt, Deflate{true, true, 15, 15}},
		{"client_no_context_takeover with a value", takeover, pd + cnt + "=1", "", Deflate{}},
		{"client_no_context_takeover twice", takeover, pd + cnt + cnt, "", Deflate{}},
		{"both no_context_takeover", takeover, pd + cnt + snt, pd + snt + cnt, Deflate{true, true, 15, 15}},

		// Section 7.1.2.1.
		{"server_max_window_bits without a value", takeover, pd + smw, "", Deflate{}},
		{"server_max_window_bits empty", takeover, pd + smw + "=", "malformed", Deflate{}},
		{"server_max_window_bits twice", takeover, pd + smw + "=9" + smw + "=9", "", Deflate{}},
		{"server_max_window_bits quoted", takeover, pd + smw + `="12"`, pd + smw + "=12", Deflate{false, false, 12, 15}},
		{"server_max_window_bits escaped", takeover, pd + smw + `="1\2"`, pd + smw + "=12", Deflate{false, false, 12, 15}},
		{"server_max_window_bits above ours", small, pd + smw + "=11", pd + smw + "=10", Deflate{false, false, 10, 15}},
		{"server_max_window_bits as ours", small, pd + smw + "=10", pd + smw + "=10", Deflate{false, false, 10, 15}},
		{"server_max_window_bits below ours", small, pd + smw + "=8", pd + smw + "=8", Deflate{false, false, 8, 15}},

		// Section 7.1.2.2.
		{"client_max_window_bits", takeover, pd + cmw, pd, Deflate{false, false, 15, 15}},
		{"client_max_window_bits, small here", small, pd + cmw, pd + smw + "=10" + cmw + "=9", Deflate{false, false, 10, 9}},
		{"client_max_window_bits above ours", small, pd + cmw + "=12", pd + smw + "=10" + cmw + "=9", Deflate{false, false, 10, 9}},
		{"client_max_window_bits below ours", small, pd + cmw + "=8", pd + smw + "=10" + cmw + "=8", Deflate{false, false, 10, 8}},
		{"client_max_window_bits empty", takeover, pd + cmw + "=", "malformed", Deflate{}},
		{"client_max_window_bits twice", takeover, pd + cmw + cmw, "", Deflate{}},
		{"client_max_window_bits twice, then with a value", takeover, pd + cmw + cmw + "=10", "", Deflate{}},
		{"client_max_window_bits twice, first with a value", takeover, pd + cmw + "=10" + cmw, "", Deflate{}},
		{"client_max_window_bits twice, both with a value", takeover, pd + cmw + "=10" + cmw + "=10", "", Deflate{}},
		{"client_max_window_bits quoted", takeover, pd + cmw + `="9"`, pd + cmw + "=9", Deflate{false, false, 15, 9}},

		// Unknown parameters, and names that are not quite right.
		{"unknown", takeover, pd + "; foo", "", Deflate{}},
		{"unknown with a value", takeover, pd + "; foo=1", "", Deflate{}},
		{"unknown behind a known one", takeover, pd + cmw + "; foo", "", Deflate{}},
		{"unknown before a known one", takeover, pd + "; foo" + cmw, "", Deflate{}},
		{"capitals in a parameter", takeover, pd + "; Server_No_Context_Takeover", "", Deflate{}},
		{"capitals in the name", takeover, "Permessage-Deflate", "", Deflate{}},
		{"longer name", takeover, pd + "2", "", Deflate{}},
		{"older extension", takeover, "x-webkit-deflate-frame", "", Deflate{}},
		{"other extension", takeover, "foo; " + "server_no_context_takeover", "", Deflate{}},

		// All together, in any order.
		{"everything", takeover, pd + snt + cnt + smw + "=9" + cmw + "=10", pd + snt + cnt + smw + "=9" + cmw + "=10", Deflate{true, true, 9, 10}},
		{"everything, backwards", takeover, pd + cmw + "=10" + smw + "=9" + cnt + snt, pd + snt + cnt + smw + "=9" + cmw + "=10", Deflate{true, true, 9, 10}},
		{"browser", none, pd + cmw, pd + snt + cnt, Deflate{true, true, 15, 15}},
		{"no room", takeover, pd + ";server_max_window_bits=9;client_max_window_bits", pd + smw + "=9", Deflate{false, false, 9, 15}},

		// Several offers: the first that is legal is taken (section 5.1).
		{"two, both legal", takeover, pd + snt + ", " + pd, pd + snt, Deflate{true, false, 15, 15}},
		{"two, the first illegal", takeover, pd + smw + "=7, " + pd, pd, Deflate{false, false, 15, 15}},
		{"two, the first unknown", takeover, pd + "; foo, " + pd + cnt, pd + cnt, Deflate{false, true, 15, 15}},
		{"two, the first twice", takeover, pd + snt + snt + ", " + pd + smw + "=9", pd + smw + "=9", Deflate{false, false, 9, 15}},
		{"two, the second illegal", takeover, pd + ", " + pd + "; foo", pd, Deflate{false, false, 15, 15}},
		{"three, none legal", takeover, pd + "; foo, " + pd + smw + ", " + pd + snt + "=1", "", Deflate{}},
		{"behind another extension", takeover, "foo; a=1, " + pd, pd, Deflate{false, false, 15, 15}},
		{"before another extension", takeover, pd + ", foo; a=1", pd, Deflate{false, false, 15, 15}},
		{"offers of fallbacks", takeover, pd + snt + smw + "=9" + cmw + ", " + pd + snt + cmw + ", " + pd + cmw, pd + snt + smw + "=9", Deflate{true, false, 9, 15}},
		{"legal, then malformed", takeover, pd + ", foo bar", "malformed", Deflate{}},
		{"malformed, then legal", takeover, "foo bar, " + pd, "malformed", Deflate{}},
		{"empty elements", takeover, ", " + pd + ",,", pd, Deflate{false, false, 15, 15}},
		{"empty", takeover, "", "malformed", Deflate{}},
		{"empty elements alone", takeover, " ,", "malformed", Deflate{}},

		// The server's own wishes.
		{"server bits 15 are no wish", &DeflateOptions{true, true, 15, 15}, pd + cmw, pd, Deflate{false, false, 15, 15}},
		{"server bits 8", &DeflateOptions{true, true, 8, 0}, pd, pd + smw + "=8", Deflate{false, false, 8, 15}},
		{"client bits 8, not offered", &DeflateOptions{true, true, 0, 8}, pd, pd, Deflate{false, false, 15, 15}},
		{"client bits 8, offered", &DeflateOptions{true, true, 0, 8}, pd + cmw, pd + cmw + "=8", Deflate{false, false, 15, 8}},
		{"client bits 15, offered with 15", takeover, pd + cmw + "=15", pd + cmw + "=15", Deflate{false, false, 15, 15}},
		{"server takeover alone", &DeflateOptions{ServerContextTakeover: true}, pd, pd + cnt, Deflate{false, true, 15, 15}},
		{"client takeover alone", &DeflateOptions{ClientContextTakeover: true}, pd, pd + snt, Deflate{true, false, 15, 15}},
		{"declined", nil, pd, "", Deflate{}},
		{"declined, malformed", nil, "foo bar", "malformed", Deflate{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer, terms := agreeServer(tt.options, tt.offer)
			if answer != tt.answer {
				t.Fatalf("offer %q: answer %q, want %q", tt.offer, answer, tt.answer)
			}
			if terms != nil && *terms != tt.terms {
				t.Errorf("offer %q: terms %+v, want %+v", tt.offer, *terms, tt.terms)
			}
		})
	}
}

// TestDeflateBits tries values of both window bits, in offers and in answers.
func TestDeflateBits(t *testing.T) {
	values := []string{
		"00", "08", "09", "010", "015", "8.", "1.", "1/", "1:", "1-", "+8", "-8", "8 8", "0x8", "8a", "a", "1e1",
		"100", "1000", "18446744073709551624", "4294967304", "x", "~",
	}
	for n := range 33 {
		values = append(values, strconv.Itoa(n))
	}
	for _, v := range values {
		want, err := strconv.Atoi(v)
		legal := err == nil && want >= 8 && want <= 15 && strconv.Itoa(want) == v
		if got := windowBits([]byte(v)); legal && got != want || !legal && got != 0 {
			t.Errorf("windowBits(%q) = %d", v, got)
		}
		answer, _ := agreeServer(takeover, pd+smw+"="+v)
		if got := answer == pd+smw+"="+v; got != legal {
			t.Errorf("server_max_window_bits=%s is answered %q", v, answer)
		}
		answer, _ = agreeServer(takeover, pd+cmw+"="+v)
		if got := answer == pd+cmw+"="+v; got != legal {
			t.Errorf("client_max_window_bits=%s is answered %q", v, answer)
		}
		for _, name := range []string{smw, cmw} {
			if _, err := agreeClient(takeover, pd+name+"="+v); (err == nil) != legal {
				t.Errorf("%s=%s in an answer: %v", name, v, err)
			}
		}
	}
}

// TestDeflateOffersInFields spreads a list over header fields.
func TestDeflateOffersInFields(t *testing.T) {
	answer, _ := agreeServer(takeover, "foo", pd+"; bar", pd+cnt, pd)
	if want := pd + cnt; answer != want {
		t.Errorf("answer %q, want %q", answer, want)
	}
}

// agreeClient takes an answer as the client does.
func agreeClient(o *DeflateOptions, answers ...string) (*Deflate, error) {
	d := dialer{options: &DialOptions{Deflate: o}}
	var res Result
	err := d.checkExtensions(&res, answers)
	return res.Deflate, err
}

func TestDeflateOffered(t *testing.T) {
	for _, tt := range []struct {
		options DeflateOptions
		want    string
	}{
		{DeflateOptions{}, pd + snt + cnt + cmw},
		{DeflateOptions{ServerContextTakeover: true}, pd + cnt + cmw},
		{DeflateOptions{ClientContextTakeover: true}, pd + snt + cmw},
		{*takeover, pd + cmw},
		{DeflateOptions{true, true, 15, 15}, pd + cmw},
		{*small, pd + smw + "=10" + cmw + "=9"},
		{DeflateOptions{ServerMaxWindowBits: 8, ClientMaxWindowBits: 8}, pd + snt + cnt + smw + "=8" + cmw + "=8"},
	} {
		if got := string(tt.options.offer().append(nil)); got != tt.want {
			t.Errorf("%+v offers %q, want %q", tt.options, got, tt.want)
		}
	}
}

// TestDeflateAnswers is RFC 7692, section 7.1, seen from the client.
func TestDeflateAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options *DeflateOptions
		answer  string
		ok      bool
		terms   Deflate
	}{
		{"bare", takeover, pd, true, Deflate{false, false, 15, 15}},
		{"bare, although no takeover was asked for", none, pd, true, Deflate{false, true, 15, 15}},
		{"as asked", none, pd + snt + cnt, true, Deflate{true, true, 15, 15}},
		{"server_no_context_takeover unasked", takeover, pd + snt, true, Deflate{true, false, 15, 15}},
		{"client_no_context_takeover unasked", takeover, pd + cnt, true, Deflate{false, true, 15, 15}},
		{"both unasked", takeover, pd + cnt + snt, true, Deflate{true, true, 15, 15}},
		{"server_max_window_bits unasked", takeover, pd + smw + "=9", true, Deflate{false, false, 9, 15}},
		{"client_max_window_bits", takeover, pd + cmw + "=9", true, Deflate{false, false, 15, 9}},
		{"client_max_window_bits without a value", takeover, pd + cmw, false, Deflate{}},
		{"client_max_window_bits above what we announced", small, pd + smw + "=10" + cmw + "=12", true, Deflate{false, false, 10, 9}},
		{"client_max_window_bits left out", small, pd + smw + "=10", true, Deflate{false, false, 10, 9}},
		{"server_max_window_bits as asked", small, pd + smw + "=10", true, Deflate{false, false, 10, 9}},
		{"server_max_window_bits less than asked", small, pd + smw + "=8", true, Deflate{false, false, 8, 9}},
		{"server_max_window_bits more than asked", small, pd + smw + "=11", false, Deflate{}},
		{"server_max_window_bits left out", small, pd, true, Deflate{false, false, 15, 9}},
		{"server_max_window_bits without a value", takeover, pd + smw, false, Deflate{}},
		{"everything", none, pd + snt + cnt + smw + "=9" + cmw + "=10", true, Deflate{true, true, 9, 10}},
		{"quoted", none, pd + smw + `="9"`, true, Deflate{false, true, 9, 15}},
		{"unknown parameter", takeover, pd + "; foo", false, Deflate{}},
		{"twice the same parameter", takeover, pd + snt + snt, false, Deflate{}},
		{"no_context_takeover with a value", takeover, pd + cnt + "=1", false, Deflate{}},
		{"twice the extension", takeover, pd + ", " + pd, false, Deflate{}},
		{"another extension", takeover, "foo", false, Deflate{}},
		{"another extension besides", takeover, pd + ", foo", false, Deflate{}},
		{"capitals", takeover, "Permessage-deflate", false, Deflate{}},
		{"not offered", nil, pd, false, Deflate{}},
		{"malformed parameters", takeover, pd + ";", false, Deflate{}},
		{"malformed", takeover, pd + " foo", false, Deflate{}},
		{"malformed name", takeover, "/", false, Deflate{}},
		{"empty", takeover, "", false, Deflate{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			terms, err := agreeClient(tt.options, tt.answer)
			if (err == nil) != tt.ok {
				t.Fatalf("answer %q: %v", tt.answer, err)
			}
			if tt.ok && *terms != tt.terms {
				t.Errorf("answer %q: terms %+v, want %+v", tt.answer, *terms, tt.terms)
			}
		})
	}
	if terms, err := agreeClient(takeover); terms != nil || err != nil {
		t.Errorf("no answer: %+v, %v", terms, err)
	}
	if _, err := agreeClient(takeover, pd, pd); err == nil {
		t.Error("permessage-deflate in two fields was taken")
	}
}

// TestDeflateBothSides lets every combination of options meet every other: the
// two sides always agree, on the same terms, and neither goes beyond its own.
func TestDeflateBothSides(t *testing.T) {
	for s := range allDeflateOptions {
		for c := range allDeflateOptions {
			answer, server := agreeServer(&s, string(c.offer().append(nil)))
			client, err := agreeClient(&c, answer)
			if err != nil || *server != *client {
				t.Fatalf("server %+v, client %+v: answer %q, %v: %+v and %+v", s, c, answer, err, server, client)
			}
			want := Deflate{
				ServerNoContextTakeover: !s.ServerContextTakeover || !c.ServerContextTakeover,
				ClientNoContextTakeover: !s.ClientContextTakeover || !c.ClientContextTakeover,
				ServerMaxWindowBits:     min(orMax(s.ServerMaxWindowBits), orMax(c.ServerMaxWindowBits)),
				ClientMaxWindowBits:     min(orMax(s.ClientMaxWindowBits), orMax(c.ClientMaxWindowBits)),
			}
			if *server != want {
				t.Fatalf("server %+v, client %+v: terms %+v, want %+v", s, c, *server, want)
			}
		}
	}
}

func allDeflateOptions(yield func(DeflateOptions) bool) {
	bits := []int{0, 8, 9, 12, 15}
	for flags := range 4 {
		for _, server := range bits {
			for _, client := range bits {
				if !yield(DeflateOptions{flags&1 != 0, flags&2 != 0, server, client}) {
					return
				}
			}
		}
	}
}

func TestDeflateOptionsCheck(t *testing.T) {
	for bits := -2; bits < 34; bits++ {
		want := bits <= 0 || bits >= 8 && bits <= 15
		for _, o := range []*DeflateOptions{{ServerMaxWindowBits: bits}, {ClientMaxWindowBits: bits}} {
			if got := o.check() == nil; got != want {
				t.Errorf("%+v: legal = %v, want %v", o, got, want)
			}
		}
	}
	if err := (*DeflateOptions)(nil).check(); err != nil {
		t.Error(err)
	}
}

// TestDeflateNoBound: zero, negative window bits and 15 mean the same, on both
// sides.
func TestDeflateNoBound(t *testing.T) {
	for _, bits := range []int{0, -1, -9, 15} {
		o := &DeflateOptions{true, true, bits, bits}
		if got, want := string(o.offer().append(nil)), pd+cmw; got != want {
			t.Errorf("%d: offer %q, want %q", bits, got, want)
		}
		for _, offer := range []string{pd, pd + cmw, pd + smw + "=9" + cmw + "=10"} {
			got, terms := agreeServer(o, offer)
			want, wantTerms := agreeServer(takeover, offer)
			if got != want || *terms != *wantTerms {
				t.Errorf("%d: offer %q: answer %q, want %q", bits, offer, got, want)
			}
		}
		for _, answer := range []string{pd, pd + smw + "=15" + cmw + "=15", pd + smw + "=9"} {
			got, err := agreeClient(o, answer)
			want, _ := agreeClient(takeover, answer)
			if err != nil || *got != *want {
				t.Errorf("%d: answer %q: %+v, %v, want %+v", bits, answer, got, err, want)
			}
		}
	}
}
