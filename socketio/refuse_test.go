package socketio_test

import (
	"context"
	"strings"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// Data that is no JSON is left out of the refusal, not the refusal: without a
// message CONNECT_ERROR is a violation.
func TestRefuseDataNoJSON(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Use(func(context.Context, *socketio.Socket) error {
			return &socketio.Error{Message: "no", Data: func() {}}
		})
		r := s.dial()
		r.send("0")
		r.want(`4{"message":"no"}`)
		if !strings.Contains(s.log.String(), "data of an Error") {
			t.Errorf("log %q", s.log)
		}
	})
}
