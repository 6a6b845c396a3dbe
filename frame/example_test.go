package frame_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/parleyws/parley/frame"
)

// A buffer read from the network holds whole frames and the beginning of another
// one, whose rest has not arrived yet.
func ExampleParse() {
	received := []byte("\x01\x03Hel\x80\x02lo\x89")
	for {
		h, n, err := frame.Parse(received)
		if err != nil {
			log.Fatal(err)
		}
		if n == 0 || int64(len(received)-n) < h.Length {
			break
		}
		payload := received[n:][:h.Length]
		fmt.Printf("%v, final %t: %q\n", h.Opcode, h.Fin, payload)
		received = received[n:][h.Length:]
	}
	fmt.Printf("left: %x\n", received)
	// Output:
	// text, final false: "Hel"
	// continuation, final true: "lo"
	// left: 89
}

func ExampleHeader_Append() {
	h := frame.Header{Fin: true, Opcode: frame.Text, Length: 5}
	b := append(h.Append(nil), "Hello"...)
	fmt.Printf("% x\n", b)
	// Output: 81 05 48 65 6c 6c 6f
}

func ExampleParseClose() {
	code, reason, err := frame.ParseClose([]byte("\x03\xe9restart"))
	fmt.Println(code, reason, err)

	_, _, err = frame.ParseClose([]byte("\x03\xed"))
	if broken, ok := errors.AsType[*frame.Error](err); ok {
		fmt.Println("fail the connection with", broken.Code)
	}
	// Output:
	// 1001 going away restart <nil>
	// fail the connection with 1002 protocol error
}

func ExampleAppendClose() {
	fmt.Printf("%q\n", frame.AppendClose(nil, frame.StatusGoingAway, "restart"))
	// Output: "\x03\xe9restart"
}
