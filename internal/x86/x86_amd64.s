#include "textflag.h"

// func hasAVX2() bool
//
// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1,
// section 14.7.1: OSXSAVE and AVX (leaf 1, ECX, bits 27 and 28), the state of
// XMM and YMM registers in XCR0 (bits 1 and 2), AVX2 (leaf 7, EBX, bit 5).
TEXT ·hasAVX2(SB), NOSPLIT, $0-1
	MOVB $0, ret+0(FP)
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JB   no
	MOVL $1, AX
	XORL CX, CX
	CPUID
	ANDL $(1<<27 | 1<<28), CX
	CMPL CX, $(1<<27 | 1<<28)
	JNE  no
	XORL CX, CX
	XGETBV
	ANDL $(1<<1 | 1<<2), AX
	CMPL AX, $(1<<1 | 1<<2)
	JNE  no
	MOVL $7, AX
	XORL CX, CX
	CPUID
	BTL  $5, BX
	SETCS ret+0(FP)

no:
	RET
