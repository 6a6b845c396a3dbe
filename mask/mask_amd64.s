//go:build !purego

#include "textflag.h"

// func xorAVX2(dst, src *byte, n int, key uint32)
//
// The loop masks four vectors of 32 bytes a turn. The last four vectors are
// taken from the end and may overlap the turn before them, so that no bytes are
// left over. From 512 bytes on, the turns begin where dst is aligned to 32 bytes,
// and they overlap a first, unaligned vector. The first and the last vectors are
// read before anything is written and written after everything else, because
// dst may be src. The speed is bounded by the stores, one a cycle: for this
// reason an aligned dst has no first vector that would be written twice.
//
// AX key; SI src; DI dst; CX bytes before the aligned part; DX bytes left; R8
// end of dst; R9 start of dst; Y0 key; Y1 key at the end; Y2 first vector; Y3 to
// Y6 vectors of this turn; Y7 to Y10 last vectors.
TEXT ·xorAVX2(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), DX
	MOVL key+24(FP), AX

	// The last vectors begin a multiple of 32 bytes before n, so their key is the
	// key rotated by n bytes. RORL takes the number of bits mod 32.
	LEAQ (DX*8), CX
	MOVL AX, BX
	RORL CX, BX
	VMOVD AX, X0
	VMOVD BX, X1
	VPBROADCASTD X0, Y0
	VPBROADCASTD X1, Y1
	LEAQ (DI)(DX*1), R8
	CMPQ DX, $128
	JA   long

	// 64 to 128 bytes: two vectors from the front, two from the end. A reader that
	// follows gets the bytes 3 % sooner if they are stored in this order.
	VPXOR (SI), Y0, Y3
	VPXOR 32(SI), Y0, Y4
	VPXOR -64(SI)(DX*1), Y1, Y9
	VPXOR -32(SI)(DX*1), Y1, Y10
	VMOVDQU Y9, -64(R8)
	VMOVDQU Y10, -32(R8)
	VMOVDQU Y3, (DI)
	VMOVDQU Y4, 32(DI)
	VZEROUPPER
	RET

long:
	VPXOR -128(SI)(DX*1), Y1, Y7
	VPXOR -96(SI)(DX*1), Y1, Y8
	VPXOR -64(SI)(DX*1), Y1, Y9
	VPXOR -32(SI)(DX*1), Y1, Y10
	XORL CX, CX
	CMPQ DX, $512
	JB   turns

	// CX bytes, fewer than a vector, precede the aligned part.
	MOVQ DI, CX
	NEGQ CX
	ANDQ $31, CX
	JEQ  turns
	VPXOR (SI), Y0, Y2
	MOVQ DI, R9
	ADDQ CX, SI
	ADDQ CX, DI
	SUBQ CX, DX
	SHLL $3, CX
	RORL CX, AX
	VMOVD AX, X0
	VPBROADCASTD X0, Y0

turns:
	SUBQ $128, DX // the last vectors cover these
	PCALIGN $64

turn:
	VPXOR (SI), Y0, Y3
	VPXOR 32(SI), Y0, Y4
	VPXOR 64(SI), Y0, Y5
	VPXOR 96(SI), Y0, Y6
	VMOVDQU Y3, (DI)
	VMOVDQU Y4, 32(DI)
	VMOVDQU Y5, 64(DI)
	VMOVDQU Y6, 96(DI)
	SUBQ $-128, SI
	SUBQ $-128, DI
	ADDQ $-128, DX
	JGT  turn

	TESTL CX, CX
	JEQ  last
	VMOVDQU Y2, (R9)

last:
	VMOVDQU Y7, -128(R8)
	VMOVDQU Y8, -96(R8)
	VMOVDQU Y9, -64(R8)
	VMOVDQU Y10, -32(R8)
	VZEROUPPER
	RET
