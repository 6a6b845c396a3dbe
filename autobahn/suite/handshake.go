package suite

import (
	"cmp"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// openAsClient makes the opening handshake (RFC 6455, section 4.1). Like the suite it
// writes "WebSocket" with capitals, and sends no Origin.
func (f *fuzzer) openAsClient() error {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	lines := []string{
		"GET " + cmp.Or(f.o.Target, "/") + " HTTP/1.1",
		"Host: " + cmp.Or(f.o.Host, "localhost"),
		"Upgrade: WebSocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: " + key,
		"Sec-WebSocket-Version: 13",
	}
	asks := f.c.asks
	if asks != nil {
		lines = append(lines, "Sec-WebSocket-Extensions: "+offer(asks))
	}
	if _, err := f.nc.Write([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n")); err != nil {
		return err
	}
	answer, err := http.ReadResponse(f.in, nil)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	answer.Body.Close()
	h := answer.Header
	switch {
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return errors.New("handshake: answer " + answer.Status)
	case !hasToken(h, "Upgrade", "websocket") || !hasToken(h, "Connection", "upgrade"):
		return errors.New("handshake: no upgrade in the answer")
	case h.Get("Sec-WebSocket-Accept") != acceptKey(key):
		return errors.New("handshake: wrong Sec-WebSocket-Accept")
	case h.Get("Sec-WebSocket-Protocol") != "":
		return errors.New("handshake: unasked subprotocol")
	}
	f.agreed, f.promise, err = agreed(strings.Join(h.Values("Sec-WebSocket-Extensions"), ","), asks)
	if asks == nil && f.agreed != nil {
		return errors.New("handshake: unasked permessage-deflate")
	}
	f.declined = asks != nil && f.agreed == nil
	return err
}

// openAsServer answers the opening handshake (RFC 6455, section 4.2).
func (f *fuzzer) openAsServer() error {
	r, err := http.ReadRequest(f.in)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	h := r.Header
	key := h.Get("Sec-WebSocket-Key")
	nonce, _ := base64.StdEncoding.DecodeString(key)
	offers, err := parseExtensions(strings.Join(h.Values("Sec-WebSocket-Extensions"), ","), true)
	switch {
	case err != nil:
	case r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || r.Host == "":
		err = fmt.Errorf("request %s %s, Host %q", r.Method, r.Proto, r.Host)
	case !hasToken(h, "Upgrade", "websocket") || !hasToken(h, "Connection", "upgrade"):
		err = errors.New("no upgrade in the request")
	case h.Get("Sec-WebSocket-Version") != "13" || len(nonce) != 16:
		err = errors.New("wrong Sec-WebSocket-Version or Sec-WebSocket-Key")
	}
	if err != nil {
		f.nc.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		return fmt.Errorf("handshake: %w", err)
	}
	lines := []string{
		"HTTP/1.1 101 Switching Protocols",
		"Upgrade: WebSocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Accept: " + acceptKey(key),
	}
	if asks := f.c.asks; asks != nil {
		var said string
		said, f.agreed = answer(offers, asks)
		f.declined = f.agreed == nil
		if said != "" {
			lines = append(lines, "Sec-WebSocket-Extensions: "+said)
		}
	}
	_, err = f.nc.Write([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
	return err
}

// acceptKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hasToken reports whether the list in the header field has the token, in letters of
// any case.
func hasToken(h http.Header, name, token string) bool {
	for element := range strings.SplitSeq(strings.Join(h.Values(name), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(element), token) {
			return true
		}
	}
	return false
}
