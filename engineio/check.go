package engineio

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/parleyws/parley/handshake"
)

// Options are judged where they are given: NewServer returns an error that
// names the field and its value and says what to write instead.

// wrong returns the error about a field of Options.
func wrong(field string, value any, remedy string) error {
	return wrongIn("Options", field, value, remedy)
}

// wrongIn returns the error about a field of a type of options.
func wrongIn(options, field string, value any, remedy string) error {
	if s, ok := value.(string); ok {
		value = fmt.Sprintf("%q", s)
	}
	return fmt.Errorf("engine.io: %s.%s is %v: %s", options, field, value, remedy)
}

// checkPath checks Options.Path, which is not empty.
func checkPath(p string) error {
	const field = "Path"
	clean := path.Clean(p)
	switch {
	case p[0] != '/':
		return wrong(field, p, fmt.Sprintf("it must begin with a slash: %q", "/"+p))
	case strings.ContainsAny(p, "?#"):
		return wrong(field, p, "a path has no query and no fragment")
	case p != clean && p != clean+"/" || strings.Contains(p, "//"):
		return wrong(field, p, fmt.Sprintf("requests come for the clean path: %q", clean))
	}
	return nil
}

// checkTransports checks the Transports of a type of options, which are not nil.
func checkTransports(options string, names []string) error {
	if len(names) == 0 {
		return wrongIn(options, "Transports", "empty", `no client could connect; nil is "polling" and "websocket"`)
	}
	for i, name := range names {
		if name != pollingName && name != websocketName {
			return wrongIn(options, fmt.Sprintf("Transports[%d]", i), name, `there are "polling" and "websocket"`)
		}
	}
	return nil
}

const (
	// minPayload is the size of "2probe", the longest packet that every client
	// sends.
	minPayload = 6
	// minQueueBytes is more than an open packet takes.
	minQueueBytes = 512
	// minPing is the unit in which clients are told the times of the heartbeat.
	minPing = time.Millisecond
	// maxPing is the longest timer of JavaScript, 2^31-1 ms, in whole days: a
	// longer one fires at once.
	maxPing = 24 * 24 * time.Hour
)

// check checks limits whose defaults are filled in.
func (l *Limits) check() error {
	if l.MaxPayload < minPayload {
		return wrong("Limits.MaxPayload", l.MaxPayload, "no client could connect, 6 bytes are the least; negative is no limit")
	}
	if l.QueueBytes < minQueueBytes {
		return wrong("Limits.QueueBytes", l.QueueBytes, "no session could open, 512 bytes are the least; negative is no limit")
	}
	for _, ping := range []struct {
		field string
		value time.Duration
	}{
		{"Limits.PingInterval", l.PingInterval},
		{"Limits.PingTimeout", l.PingTimeout},
	} {
		switch {
		case ping.value < 0:
			return wrong(ping.field, ping.value, "the heartbeat can't be turned off; give a long time instead")
		case ping.value < minPing:
			return wrong(ping.field, ping.value, "1ms is the least")
		case ping.value > maxPing:
			return wrong(ping.field, ping.value, "24 days are the most, JavaScript has no longer timers")
		}
	}
	if l.PingInterval+l.PingTimeout > maxPing {
		return wrong("Limits.PingInterval", l.PingInterval,
			fmt.Sprintf("with the PingTimeout of %v it is more than 24 days, and JavaScript has no longer timers", l.PingTimeout))
	}
	return nil
}

// checkDeflate checks the Deflate of a type of options, which may be nil (RFC 7692,
// section 7.1.2).
func checkDeflate(options string, o *handshake.DeflateOptions) error {
	if o == nil {
		return nil
	}
	for _, bits := range []struct {
		field string
		value int
	}{
		{"Deflate.ServerMaxWindowBits", o.ServerMaxWindowBits},
		{"Deflate.ClientMaxWindowBits", o.ClientMaxWindowBits},
	} {
		if bits.value != 0 && (bits.value < 8 || bits.value > 15) {
			return wrongIn(options, bits.field, bits.value, "it must be 8 to 15, or 0 for 15")
		}
	}
	return nil
}

// resolveCookie fills in the defaults of Options.Cookie. It refuses a cookie that
// net/http would not send or browsers would not keep.
func resolveCookie(c http.Cookie) (http.Cookie, error) {
	const field = "Cookie"
	c.HttpOnly = true
	if c.Value != "" {
		return c, wrong(field+".Value", c.Value, "it must be empty, the value is the id of the session")
	}
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	if err := c.Valid(); err != nil {
		return c, wrong(field, c.Name, "net/http refuses it: "+err.Error())
	}
	if c.SameSite == http.SameSiteNoneMode && !c.Secure {
		return c, wrong(field+".SameSite", "None", "browsers keep such a cookie only if Secure is set")
	}
	return c, nil
}

// isToken reports whether s may be the name of a header field (RFC 9110, section
// 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
