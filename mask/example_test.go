package mask_test

import (
	"fmt"

	"github.com/parleyws/parley/mask"
)

// A payload that arrives in two reads is unmasked piece by piece.
func ExampleBytes() {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	first, second := []byte("\x7f\x9f\x4d"), []byte("\x51\x58")
	pos := mask.Bytes(first, key, 0)
	mask.Bytes(second, key, pos)
	fmt.Printf("%s%s\n", first, second)
	// Output: Hello
}

// A client masks while it copies, so that its caller's bytes stay as they are.
func ExampleCopy() {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	message := []byte("Hello")
	out := make([]byte, len(message))
	mask.Copy(out, message, key, 0)
	fmt.Printf("%s is sent as % x\n", message, out)
	// Output: Hello is sent as 7f 9f 4d 51 58
}
