package bench

import "unsafe"

// uintptrOf returns the address of b's first octet: the mask rows need to know
// how it is aligned.
func uintptrOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
