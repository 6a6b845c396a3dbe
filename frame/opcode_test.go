package frame_test

import (
	"testing"

	"github.com/parleyws/parley/frame"
)

func TestOpcode(t *testing.T) {
	tests := [16]struct {
		name              string
		control, reserved bool
	}{
		0x0: {"continuation", false, false},
		0x1: {"text", false, false},
		0x2: {"binary", false, false},
		0x3: {"reserved opcode 3", false, true},
		0x4: {"reserved opcode 4", false, true},
		0x5: {"reserved opcode 5", false, true},
		0x6: {"reserved opcode 6", false, true},
		0x7: {"reserved opcode 7", false, true},
		0x8: {"close", true, false},
		0x9: {"ping", true, false},
		0xA: {"pong", true, false},
		0xB: {"reserved opcode 11", true, true},
		0xC: {"reserved opcode 12", true, true},
		0xD: {"reserved opcode 13", true, true},
		0xE: {"reserved opcode 14", true, true},
		0xF: {"reserved opcode 15", true, true},
	}
	for i, want := range tests {
		o := frame.Opcode(i)
		if o.String() != want.name || o.IsControl() != want.control || o.IsReserved() != want.reserved {
			t.Errorf("Opcode(%#x) is %q, control %t, reserved %t, want %+v", i, o, o.IsControl(), o.IsReserved(), want)
		}
	}
}
