// Package x86 tells what the processor can do, for the packages that have
// assembly. It is decided at run time: GOAMD64 plays no part.
package x86

// AVX2 reports whether the processor has AVX2 and the operating system keeps
// the registers that it needs.
var AVX2 = hasAVX2()

func hasAVX2() bool
