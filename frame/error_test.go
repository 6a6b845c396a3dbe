package frame_test

import (
	"errors"
	"testing"

	"github.com/parleyws/parley/frame"
)

func TestError(t *testing.T) {
	tests := []struct {
		err  error
		code frame.StatusCode
		text string
	}{
		{frame.ErrLengthForm, 1002, "websocket: payload length not in its shortest form (1002 protocol error)"},
		{frame.ErrLengthRange, 1002, "websocket: payload length with the top bit set (1002 protocol error)"},
		{closeError("\x03"), 1002, "websocket: close payload of one octet (1002 protocol error)"},
		{closeError("\x03\xEE"), 1002, "websocket: close code that may not be sent (1002 protocol error)"},
		{closeError("\x03\xE8\x80"), 1007, "websocket: close reason is not UTF-8 (1007 invalid payload)"},
	}
	for _, tt := range tests {
		broken, ok := errors.AsType[*frame.Error](tt.err)
		if !ok || broken.Code != tt.code || tt.err.Error() != tt.text {
			t.Errorf("error %v, want code %d and %q", tt.err, tt.code, tt.text)
		}
	}
}

func closeError(payload string) error {
	_, _, err := frame.ParseClose([]byte(payload))
	return err
}
