package socketio_test

import (
	"context"
	"errors"
	"fmt"
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

// A fickle value is encoded differently each time, and at times not at all.
type fickle struct{ times int }

func (f *fickle) MarshalJSON() ([]byte, error) {
	if f.times++; f.times%2 == 0 {
		return nil, errors.New("not now")
	}
	return fmt.Append(nil, f.times), nil
}

// Data is what it was when it was found to be JSON.
func TestRefuseDataFickle(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.Use(func(context.Context, *socketio.Socket) error {
			return &socketio.Error{Message: "no", Data: new(fickle)}
		})
		r := s.dial()
		r.send("0")
		r.want(`4{"message":"no","data":1}`)
	})
}
