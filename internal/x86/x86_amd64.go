// Package x86 detects features of the processor for the packages that have
// assembly. It detects them at run time; GOAMD64 plays no part.
package x86

// AVX2 says whether the processor has AVX2 and the operating system saves the YMM
// registers.
var AVX2 = hasAVX2()

func hasAVX2() bool
