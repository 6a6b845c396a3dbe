package bench

import "unsafe"

// uintptrOf returns the address of b's first byte. The rows on masking need to know its
// alignment.
func uintptrOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
