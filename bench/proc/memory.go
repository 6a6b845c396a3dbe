package proc

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Memory is the Handler that answers with the resident memory of its process in bytes.
// Before, it collects garbage twice and returns free memory to the kernel.
func Memory(json.RawMessage) (any, error) {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
	return Resident(os.Getpid())
}

// Resident returns the resident memory of a process in bytes, as it is.
func Resident(pid int) (int, error) {
	octets, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(strings.Fields(string(octets))[1])
	return pages * os.Getpagesize(), err
}
