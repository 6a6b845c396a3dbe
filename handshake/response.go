package handshake

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// check applies the rules of RFC 6455, section 4.1 to the response and returns the
// negotiated terms. An error says what the response has and what it should have.
func (d *dialer) check(resp *http.Response) (*Result, error) {
	h := resp.Header
	var in acceptInput
	in.set([]byte(d.key))
	accept := string(in.append(nil))
	if n := fieldCount(h); d.ours && n > responseFields {
		return nil, fmt.Errorf("response has %d header fields, more than %d", n, responseFields)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(d.notSwitched(resp))
	}
	if v := h[fieldUpgrade]; len(v) != 1 || !equalFold([]byte(v[0]), "websocket") {
		return nil, unexpected("Upgrade", v, `"websocket"`)
	}
	if v := h[fieldConnection]; !slices.ContainsFunc(v, isUpgrade) {
		if len(v) == 0 && resp.Close && resp.ProtoAtLeast(1, 1) {
			v = []string{"close"} // net/http has removed it; it leaves that of HTTP/1.0
		}
		return nil, unexpected("Connection", v, `"Upgrade"`)
	}
	if v := h[fieldAccept]; len(v) != 1 || v[0] != accept {
		return nil, unexpected("Sec-WebSocket-Accept", v, quote([]byte(accept))+", which answers the key")
	}
	res := &Result{Header: h}
	if err := d.checkSubprotocol(res, h[fieldProtocol]); err != nil {
		return nil, err
	}
	if err := d.checkExtensions(res, h[fieldExtensions]); err != nil {
		return nil, err
	}
	return res, nil
}

func isUpgrade(v string) bool { return hasToken([]byte(v), "upgrade") }

func fieldCount(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// unexpected returns an error that says which values a field has and which it
// should have.
func unexpected(name string, values []string, want string) error {
	if len(values) > 1 {
		return fmt.Errorf("%d %s fields, %s, want one field with %s", len(values), name, quoted(values), want)
	}
	return errors.New(wants(name, values, want))
}

// checkSubprotocol accepts the server's choice, which must be one of our offers.
func (d *dialer) checkSubprotocol(res *Result, values []string) error {
	switch ours := d.options.Subprotocols; {
	case len(values) == 0:
		return nil
	case len(ours) == 0:
		return unexpected("Sec-WebSocket-Protocol", values, "no such field, for no subprotocol was offered")
	case len(values) > 1 || !slices.Contains(ours, values[0]): // RFC 6455, section 11.3.4
		offered := strings.ReplaceAll(quoted(ours), " and ", ", ")
		return unexpected("Sec-WebSocket-Protocol", values, "one of "+offered+", which were offered, or no such field")
	}
	res.Subprotocol = values[0]
	return nil
}

// checkExtensions accepts the server's answer to our offer, if there was one.
func (d *dialer) checkExtensions(res *Result, values []string) error {
	for _, v := range values {
		if err := d.checkExtension(res, []byte(v)); err != nil {
			return fmt.Errorf("Sec-WebSocket-Extensions is %s: %w", quote([]byte(v)), err)
		}
	}
	return nil
}

// checkExtension accepts one Sec-WebSocket-Extensions field.
func (d *dialer) checkExtension(res *Result, v []byte) error {
	s := extensionScanner{in: v}
	for first := true; ; first = false {
		name, err := s.next()
		if err != nil || name == nil && first {
			return errExtension
		}
		if name == nil {
			return nil
		}
		if d.options.Deflate == nil || string(name) != deflateName {
			return fmt.Errorf("extension %s was not offered", quote(name))
		}
		if res.Deflate != nil {
			return errors.New("permessage-deflate is there twice, want it once")
		}
		answer, legal, err := s.deflateParams()
		if err != nil {
			return err
		}
		agreed, ok := d.options.Deflate.agree(answer)
		if !legal || !ok {
			return fmt.Errorf("illegal parameters of permessage-deflate, which was offered as %q", d.options.Deflate.offer().append(nil))
		}
		res.Deflate = &agreed
	}
}
