package handshake

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// readExtensions writes down what the scanner finds: names, and parameters in
// parentheses.
func readExtensions(in []byte) (string, error) {
	var out strings.Builder
	s := extensionScanner{in: in}
	for {
		name, err := s.next()
		if err != nil || name == nil {
			return out.String(), err
		}
		fmt.Fprintf(&out, "%s", name)
		for {
			p, err := s.param()
			if err != nil {
				return "", err
			}
			if len(p.name) == 0 {
				break
			}
			fmt.Fprintf(&out, "(%s", p.name)
			if p.hasValue {
				fmt.Fprintf(&out, "=%s", p.value)
			}
			out.WriteString(")")
		}
		out.WriteString(" ")
	}
}

func TestExtensionGrammar(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"foo", "foo "},
		{" foo\t", "foo "},
		{"foo, bar", "foo bar "},
		{"foo,bar", "foo bar "},
		{",, foo ,\t, bar,", "foo bar "},
		{"foo; a", "foo(a) "},
		{"foo;a;b=1;c=\"2\"", "foo(a)(b=1)(c=2) "},
		{"foo \t; a = 1 ; b\t=\t\"x\" , bar", "foo(a=1)(b=x) bar "},
		{`foo; a="\x\y\z"`, "foo(a=xyz) "},
		{`foo; a="x\yz"; b="\1"`, "foo(a=xyz)(b=1) "},
		{"foo; a; a", "foo(a)(a) "}, // twice: a matter of the extension
		{"!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ "},
		{"mux; max-channels=4; flow-control, deflate-stream", "mux(max-channels=4)(flow-control) deflate-stream "}, // RFC 6455, section 9.1
		{"", ""},
		{" , ,", ""},
	} {
		got, err := readExtensions([]byte(tt.in))
		if err != nil || got != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestExtensionMalformed(t *testing.T) {
	for _, in := range []string{
		"foo bar", "foo;", "foo; ", "foo;;a", "foo; ;a", "foo; a=", "foo; a=,", "foo; a= ;b", "foo; =1", "=",
		";", "; a", "foo; a b", "foo; a=1 2", "foo; a==1", "foo=1", "foo; a=\"", "foo; a=\"\"", "foo; a=\"1",
		"foo; a=\"1\\", "foo; a=\"1\\\"", "foo; a=\"\\\"\"", "foo; a=\"\\\\\"", "foo; a=\"1 2\"", "foo; a=\"1,2\"",
		"foo; a=\"1;2\"", "foo; a=\"1\"2", "foo; a=1\"2\"", "\"foo\"", "foo; \"a\"", "foo; \"a\"=1", "foo/1", "foo; a/b",
		"foo; a=b/c", "foo; a={1}", "(foo)", "foo\x00", "foo; a=\"\x00\"", "foo\r\n bar", "fo\xC3\xB6", "foo; a=\"\xC3\xB6\"",
		"foo\x7F", "foo; a='1 2'", "foo,bar baz", ",;",
	} {
		if got, err := readExtensions([]byte(in)); err == nil {
			t.Errorf("%q was read as %q", in, got)
		}
	}
}

// linear fails if work on twice the input takes 2.5 times as long or more. It
// takes the best of many runs, and tries again before it complains: what
// disturbs a measurement makes it longer, and quadratic work is so each time. n is
// to be small: linear work of a few milliseconds is interrupted each time where
// the processors are busy.
func linear(t *testing.T, n int, work func(n int)) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector would be measured")
	}
	best := func(n int) time.Duration {
		times := make([]time.Duration, 5)
		for i := range times {
			start := time.Now()
			work(n)
			times[i] = time.Since(start)
		}
		return slices.Min(times)
	}
	var ratio float64
	for range 10 {
		once, twice := best(n), best(2*n)
		if ratio = float64(twice) / float64(once); ratio < 2.5 {
			return
		}
	}
	t.Errorf("%d octets take %.2f times as long as %d", 2*n, ratio, n)
}

func TestExtensionLinear(t *testing.T) {
	for _, tt := range []struct{ name, head, unit, tail string }{
		{"extensions", "", "foo,", "foo"},
		{"offers", "", "permessage-deflate; client_max_window_bits,", "foo"},
		{"illegal offers", "", "permessage-deflate; server_max_window_bits=7,", "foo"},
		{"parameters", "permessage-deflate", ";a=1", ""},
		{"empty elements", "foo", ",", "foo"},
		{"white space", "foo", " \t", ""},
		{"quoted", "foo; a=\"", "x", "\""},
		{"escapes", "foo; a=\"", `\x`, "\""},
		{"quoted parameters", "foo", "; a=\"\\x\"", ""},
		{"unclosed quotation", "foo; a=\"", `\\`, ""},
		{"long token", "", "a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const size = 64 << 10
			in := map[int][]byte{}
			for _, n := range []int{size, 2 * size} {
				in[n] = []byte(tt.head + strings.Repeat(tt.unit, n/len(tt.unit)) + tt.tail)
			}
			o := Options{Deflate: new(DeflateOptions)}
			linear(t, size, func(n int) {
				r := request{options: &o}
				r.addExtensions(in[n])
			})
		})
	}
}

// FuzzExtension: what is read, written in the plainest form, reads the same;
// spread over white space and quotation it does too; nothing is modified.
func FuzzExtension(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate; client_no_context_takeover; client_max_window_bits",
		"permessage-deflate; server_max_window_bits=\"1\\0\", x-webkit-deflate-frame",
		"foo; a=\"\\x\";b , ,bar", "foo;a=\"\\\"\"", ",", "foo; a=\"1", "foo bar",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		got, err := readExtensions(in)
		if !bytes.Equal(in, before) {
			t.Fatalf("%q became %q", before, in)
		}
		if err != nil {
			return
		}
		// "a(b)(c=d) e " -> "a;b;c=d,e" and "a ; b ; c = "d" , e".
		plain := strings.NewReplacer(" ", ",", ")", "", "(", ";").Replace(got)
		wide := strings.NewReplacer(" ", " , ", ")", "", "(", "\t; ").Replace(got)
		quoted := strings.NewReplacer(" ", ",", "(", ";", ")", "").Replace(quoteValues(got))
		for _, again := range []string{plain, wide, quoted} {
			if back, err := readExtensions([]byte(again)); err != nil || back != got {
				t.Fatalf("%q reads as %q, %v; %q reads as %q", in, got, nil, again, back)
			}
		}
	})
}

// quoteValues puts each value into quotation marks, each byte escaped.
func quoteValues(s string) string {
	var out strings.Builder
	inside := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '=':
			inside = true
			out.WriteString(`="`)
		case c == ')' && inside:
			inside = false
			out.WriteString(`")`)
		case inside:
			out.WriteString(`\` + string(c))
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
