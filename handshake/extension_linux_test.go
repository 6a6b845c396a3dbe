package handshake

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
)

// lookahead is how many bytes after those that a call cuts may be looked at:
// one, but bytes.IndexByte takes up to a vector of them at once.
const lookahead = 64

// A scan is linear because each call cuts what it looks at, and none looks at
// the rest of the input. Here each call sees what it cuts and lookahead
// bytes more in front of a page of memory that can't be read: whoever looks
// further dies.
func TestExtensionLooksNoFurther(t *testing.T) {
	for _, tt := range []struct{ name, head, unit string }{
		{"extensions", "", "foo, "},
		{"empty elements", "", ",foo,,\t,"},
		{"offers", "", "permessage-deflate; client_max_window_bits,"},
		{"parameters", "permessage-deflate", "; a=1"},
		{"flags", "permessage-deflate", " ;a"},
		{"quoted", "foo", `; a="123"`},
		{"escapes", "foo", `; a="\1\2"`},
		{"empty quotation", "foo", `; a=""`},
		{"white space", "foo", " \t; \ta \t= \t1 \t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := []byte(tt.head + strings.Repeat(tt.unit, 2000/len(tt.unit)) + "foo")
			calls := 0
			for at, inside := 0, false; ; calls++ {
				s := extensionScanner{in: in[at:]}
				want, goesOn := callScanner(&s, inside)
				cut := len(in) - at - len(s.in)
				if got := callGuarded(t, in[at:], cut+lookahead, inside); got != want {
					t.Fatalf("call %d: %q, %q with all octets in sight", calls, got, want)
				}
				if at += cut; want == "" && cut == 0 || strings.HasPrefix(want, "!") {
					break
				}
				inside = goesOn
			}
			if most := 2*len(in) + 1; calls > most {
				t.Errorf("%d calls for %d octets", calls, len(in))
			}
		})
	}
}

// callScanner reads a parameter if inside an extension, else a name. It tells
// what it has found, after "!" what was wrong, and whether a parameter may come next.
func callScanner(s *extensionScanner, inside bool) (found string, goesOn bool) {
	if inside {
		p, err := s.param()
		if err != nil {
			return "!" + err.Error(), false
		}
		return fmt.Sprintf("%s=%s", p.name, p.value), len(p.name) > 0
	}
	name, err := s.next()
	if err != nil {
		return "!" + err.Error(), false
	}
	return string(name), len(name) > 0
}

// callGuarded is callScanner for in, of which only the first bytes can be read.
func callGuarded(t *testing.T, in []byte, visible int, inside bool) string {
	t.Helper()
	page := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(memory)
	if err := syscall.Mprotect(memory[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	visible = min(visible, len(in))
	copy(memory[page-visible:page], in)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	s := extensionScanner{in: memory[page-visible:][:len(in)]}
	found, _ := callScanner(&s, inside)
	return found
}
