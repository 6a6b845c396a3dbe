package handshake

import (
	"errors"
	"net/http"
	"slices"
)

// check applies the rules of RFC 6455, section 4.1 to the response and returns
// what was agreed.
func (d *dialer) check(resp *http.Response) (*Result, error) {
	h := resp.Header
	var in acceptInput
	in.set([]byte(d.key))
	var want [acceptLen]byte
	in.append(want[:0])
	accept := h[http.CanonicalHeaderKey("Sec-WebSocket-Accept")]
	switch {
	case d.ours && fieldCount(h) > responseFields:
		return nil, errors.New("too many header fields")
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, errors.New("the server did not switch protocols")
	case len(h[fieldUpgrade]) != 1 || !equalFold([]byte(h[fieldUpgrade][0]), "websocket"):
		return nil, errors.New("no Upgrade: websocket")
	case !slices.ContainsFunc(h[fieldConnection], isUpgrade):
		return nil, errors.New("no Connection: Upgrade")
	case len(accept) != 1 || accept[0] != string(want[:]):
		return nil, errors.New("Sec-WebSocket-Accept does not answer the key")
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

// checkSubprotocol takes the server's choice, which must be one of ours.
func (d *dialer) checkSubprotocol(res *Result, values []string) error {
	switch {
	case len(values) == 0:
		return nil
	case len(values) > 1: // RFC 6455, section 11.3.4
		return errors.New("more than one Sec-WebSocket-Protocol")
	case !slices.Contains(d.options.Subprotocols, values[0]):
		return errors.New("subprotocol was not offered")
	}
	res.Subprotocol = values[0]
	return nil
}

// checkExtensions takes the server's answer to our offer, if we made one.
func (d *dialer) checkExtensions(res *Result, values []string) error {
	for _, v := range values {
		s := extensionScanner{in: []byte(v)}
		for first := true; ; first = false {
			name, err := s.next()
			if err != nil || name == nil && first {
				return errExtension
			}
			if name == nil {
				break
			}
			if d.options.Deflate == nil || string(name) != deflateName {
				return errors.New("extension was not offered")
			}
			if res.Deflate != nil {
				return errors.New("permessage-deflate answered twice")
			}
			answer, legal, err := s.deflateParams()
			if err != nil {
				return err
			}
			agreed, ok := d.options.Deflate.agree(answer)
			if !legal || !ok {
				return errors.New("illegal parameters of permessage-deflate")
			}
			res.Deflate = &agreed
		}
	}
	return nil
}
