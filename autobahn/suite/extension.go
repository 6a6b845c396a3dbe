package suite

import (
	"fmt"
	"strconv"
	"strings"
)

// The parameters of permessage-deflate (RFC 7692, section 7.1).
const (
	extensionName    = "permessage-deflate"
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverBits       = "server_max_window_bits"
	clientBits       = "client_max_window_bits"
)

// An ask holds the parameters that the fuzzer asks of the peer's direction. A client
// asks in its offer, a server in its answer.
type ask struct {
	noTakeover bool
	bits       int // 0 if not asked for

	keeps bool // a client does not hint that it can do without its own context
}

// A direction holds the parameters of one direction.
type direction struct {
	noTakeover bool
	bits       int // log2 of the window in bytes
}

// An agreement on permessage-deflate, as the fuzzer sees it.
type agreement struct{ toPeer, fromPeer direction }

// terms holds the parameters of one offer or answer.
type terms struct {
	server, client direction // bits is 0 if there is no such parameter
	clientHint     bool      // client_max_window_bits without a value
}

// offer returns the offer of the fuzzer as a client.
func offer(asks []ask) string {
	var offers []string
	for _, a := range asks {
		o := extensionName
		if !a.keeps {
			o += "; " + clientNoTakeover
		}
		o += "; " + clientBits
		if a.noTakeover {
			o += "; " + serverNoTakeover
		}
		if a.bits > 0 {
			o += fmt.Sprintf("; %s=%d", serverBits, a.bits)
		}
		offers = append(offers, o)
	}
	return strings.Join(offers, ", ")
}

// answer returns the answer of the fuzzer, as a server, to the first offer that it can
// accept. The answer holds the parameters that the fuzzer asks for, and repeats those
// that the offer asks of the server. It is empty if no offer can be accepted.
func answer(offers []terms, asks []ask) (string, *agreement) {
	for _, o := range offers {
		for _, a := range asks {
			if a.bits > 0 && !o.clientHint && o.client.bits == 0 {
				continue // the answer may have this only if it was offered (7.1.2.2)
			}
			return accept(o, a)
		}
	}
	return "", nil
}

func accept(o terms, a ask) (string, *agreement) {
	s := extensionName
	g := &agreement{toPeer: o.server, fromPeer: direction{noTakeover: a.noTakeover, bits: a.bits}}
	if o.server.noTakeover {
		s += "; " + serverNoTakeover
	}
	if o.server.bits > 0 {
		s += fmt.Sprintf("; %s=%d", serverBits, o.server.bits)
	}
	if a.noTakeover {
		s += "; " + clientNoTakeover
	}
	if a.bits > 0 {
		if o.client.bits > 0 {
			g.fromPeer.bits = min(a.bits, o.client.bits)
		}
		s += fmt.Sprintf("; %s=%d", clientBits, g.fromPeer.bits)
	}
	return s, g.complete()
}

// complete sets the greatest window for each direction that names none.
func (g *agreement) complete() *agreement {
	const greatest = 15
	for _, d := range []*direction{&g.toPeer, &g.fromPeer} {
		if d.bits == 0 {
			d.bits = greatest
		}
	}
	return g
}

// agreed reads the answer of a server to offer(asks). It returns the agreement, and the
// parameters of the offer that the answer leaves out or exceeds. The suite accepts such
// an answer; RFC 7692, sections 7.1.1.1 and 7.1.2.1, forbid it.
func agreed(header string, asks []ask) (g *agreement, promise string, err error) {
	answers, err := parseExtensions(header, false)
	if err != nil || len(answers) == 0 {
		return nil, "", err
	}
	if len(answers) > 1 {
		return nil, "", fmt.Errorf("more than one extension in the answer %q", header)
	}
	t := answers[0]
	g = &agreement{toPeer: t.client, fromPeer: t.server}
	for _, a := range asks {
		if a.bits > 0 && (t.server.bits == 0 || t.server.bits > a.bits) || a.noTakeover && !t.server.noTakeover {
			promise = fmt.Sprintf("the answer %q fits none of the offers", header)
			continue
		}
		promise = ""
		break
	}
	return g.complete(), promise, nil
}

// parseExtensions reads the values of Sec-WebSocket-Extensions, joined by commas. In a
// request it skips other extensions. An illegal value is an error in a request and in
// an answer.
func parseExtensions(header string, request bool) ([]terms, error) {
	var all []terms
	for element := range strings.SplitSeq(header, ",") {
		parameters := strings.Split(element, ";")
		name := strings.TrimSpace(parameters[0])
		if name == "" && len(parameters) == 1 {
			continue
		}
		if name != extensionName {
			if request {
				continue
			}
			return nil, fmt.Errorf("unasked extension %q", name)
		}
		t, err := parseTerms(parameters[1:], request)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func parseTerms(parameters []string, request bool) (terms, error) {
	var t terms
	seen := map[string]bool{}
	for _, p := range parameters {
		name, value, hasValue := strings.Cut(strings.TrimSpace(p), "=")
		if seen[name] {
			return t, fmt.Errorf("parameter %q twice", name)
		}
		seen[name] = true
		if err := t.set(name, strings.Trim(value, `"`), hasValue, request); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *terms) set(name, value string, hasValue, request bool) error {
	bits := 0
	if hasValue {
		var err error
		if bits, err = strconv.Atoi(value); err != nil || bits < 8 || bits > 15 || value[0] == '0' || value[0] == '+' {
			return fmt.Errorf("parameter %s=%q", name, value)
		}
	}
	switch {
	case name == serverNoTakeover && !hasValue:
		t.server.noTakeover = true
	case name == clientNoTakeover && !hasValue:
		t.client.noTakeover = true
	case name == serverBits && hasValue:
		t.server.bits = bits
	case name == clientBits && hasValue:
		t.client.bits = bits
	case name == clientBits && request:
		t.clientHint = true
	default:
		return fmt.Errorf("parameter %q", name)
	}
	return nil
}
