//go:build !purego

#include "textflag.h"

// This file validates UTF-8 by classes of neighbouring bytes, after Keiser and
// Lemire, "Validating UTF-8 in less than one instruction per byte" (2021). There is
// a table for the upper half of a byte, one for its lower half, and one for the
// upper half of the byte that follows. Each table gives a set of the errors that
// the pair of bytes may have:
//
//	01  the second byte should continue a character and does not
//	02  the second byte continues a character that is complete
//	04  overlong form of three bytes
//	08  above U+10FFFF
//	10  surrogate
//	20  overlong form of two bytes
//	40  overlong form of four bytes, or far above U+10FFFF
//	80  two continuations in a row, which only longer characters may have
//
// An error that is in all three sets is an error of the pair. Bit 80 is compared
// with the places where the third or fourth byte of a character must be.

// Indexed by the upper half of the first byte.
DATA pairHigh<>+0(SB)/8, $0x0202020202020202
DATA pairHigh<>+8(SB)/8, $0x4915012180808080
GLOBL pairHigh<>(SB), RODATA|NOPTR, $16

// Indexed by the lower half of the first byte.
DATA pairLow<>+0(SB)/8, $0xCBCBCB8B8383A3E7
DATA pairLow<>+8(SB)/8, $0xCBCBDBCBCBCBCBCB
GLOBL pairLow<>(SB), RODATA|NOPTR, $16

// Indexed by the upper half of the second byte.
DATA pairNext<>+0(SB)/8, $0x0101010101010101
DATA pairNext<>+8(SB)/8, $0x01010101BABAAEE6
GLOBL pairNext<>(SB), RODATA|NOPTR, $16

// The greatest values that the bytes of a vector may have if no character is open
// at its end. Only the last three bytes are restricted.
DATA ends<>+0(SB)/8, $0xFFFFFFFFFFFFFFFF
DATA ends<>+8(SB)/8, $0xFFFFFFFFFFFFFFFF
DATA ends<>+16(SB)/8, $0xFFFFFFFFFFFFFFFF
DATA ends<>+24(SB)/8, $0xBFDFEFFFFFFFFFFF
GLOBL ends<>(SB), RODATA|NOPTR, $32

DATA consts<>+0(SB)/4, $0x0F0F0F0F // lower half
DATA consts<>+4(SB)/4, $0x60606060 // E0 - 80: first bytes from E0 on have a third byte
DATA consts<>+8(SB)/4, $0x70707070 // F0 - 80: first bytes from F0 on have a fourth byte
DATA consts<>+12(SB)/4, $0x80808080
GLOBL consts<>(SB), RODATA|NOPTR, $16

// func validAVX2(p *byte, n int) int
//
// SI p; DX bytes left; DI start; Y0 to Y2 tables; Y3 mask of the lower half; Y4 60;
// Y5 70; Y6 ends; Y7 80; Y8 previous vector; Y9 not zero if the previous vector left
// a character open; Y10 this vector; Y11 the 32 bytes that begin 16 before it.
TEXT ·validAVX2(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), DX
	MOVQ SI, DI
	VBROADCASTI128 pairHigh<>(SB), Y0
	VBROADCASTI128 pairLow<>(SB), Y1
	VBROADCASTI128 pairNext<>(SB), Y2
	VPBROADCASTD consts<>+0(SB), Y3
	VPBROADCASTD consts<>+4(SB), Y4
	VPBROADCASTD consts<>+8(SB), Y5
	VMOVDQU ends<>(SB), Y6
	VPBROADCASTD consts<>+12(SB), Y7
	VPXOR Y8, Y8, Y8
	VPXOR Y9, Y9, Y9

next:
	CMPQ DX, $128
	JB   one

	// Skip four vectors of ASCII, unless a character is open before them.
	VMOVDQU (SI), Y10
	VPOR 32(SI), Y10, Y11
	VMOVDQU 64(SI), Y12
	VPOR 96(SI), Y12, Y12
	VPOR Y11, Y12, Y12
	VPTEST Y7, Y12
	JNZ  some
	VPTEST Y9, Y9
	JNZ  done
	VPXOR Y8, Y8, Y8
	SUBQ $-128, SI
	ADDQ $-128, DX
	JMP  next

one:
	CMPQ DX, $32
	JB   done
	VMOVDQU (SI), Y10

some:
	VPERM2I128 $0x21, Y10, Y8, Y11
	VPALIGNR $15, Y11, Y10, Y12 // the byte before each
	VPSRLW $4, Y12, Y13
	VPAND Y3, Y13, Y13
	VPSHUFB Y13, Y0, Y13
	VPAND Y3, Y12, Y12
	VPSHUFB Y12, Y1, Y12
	VPAND Y12, Y13, Y13
	VPSRLW $4, Y10, Y12
	VPAND Y3, Y12, Y12
	VPSHUFB Y12, Y2, Y12
	VPAND Y12, Y13, Y13
	VPALIGNR $14, Y11, Y10, Y12 // two before
	VPSUBUSB Y4, Y12, Y12
	VPALIGNR $13, Y11, Y10, Y14 // three before
	VPSUBUSB Y5, Y14, Y14
	VPOR Y12, Y14, Y14
	VPAND Y7, Y14, Y14
	VPXOR Y13, Y14, Y14
	VPTEST Y14, Y14
	JNZ  done
	VPSUBUSB Y6, Y10, Y9
	VMOVDQU Y10, Y8
	ADDQ $32, SI
	SUBQ $32, DX
	CMPQ DX, $128
	JB   one
	VMOVDQU (SI), Y10
	VPTEST Y7, Y10
	JNZ  some
	JMP  next

done:
	SUBQ DI, SI
	MOVQ SI, ret+16(FP)
	VZEROUPPER
	RET
