package text

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func BenchmarkUTF8(b *testing.B) {
	for _, text := range []struct{ name, sample string }{
		{"ascii", "The quick brown fox jumps over the lazy dog. "},
		{"latin", "Größere Änderungen wären schöner für uns. "},
		{"greek", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. "},
		{"cjk", "いろはにほへとちりぬるを我が世誰ぞ常ならむ。"},
		{"emoji", "😀😃😄😁😆😅😂🤣"},
	} {
		for _, size := range []int{7, 16, 27, 60, 125, 1 << 10, 64 << 10} {
			p := []byte(strings.Repeat(text.sample, size/len(text.sample)+1))[:size]
			for !utf8.Valid(p) {
				p = p[:len(p)-1]
			}
			b.Run(fmt.Sprintf("%s/%d", text.name, size), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					var u Checker
					if !u.Write(p) || !u.Done() {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}

// BenchmarkUTF8Std is the bar: the time of the standard library.
func BenchmarkUTF8Std(b *testing.B) {
	for _, text := range []struct{ name, sample string }{
		{"ascii", "The quick brown fox jumps over the lazy dog. "},
		{"cjk", "いろはにほへとちりぬるを我が世誰ぞ常ならむ。"},
	} {
		for _, size := range []int{16, 1 << 10, 64 << 10} {
			p := []byte(strings.Repeat(text.sample, size/len(text.sample)+1))[:size]
			for !utf8.Valid(p) {
				p = p[:len(p)-1]
			}
			b.Run(fmt.Sprintf("%s/%d", text.name, size), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					if !utf8.Valid(p) {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}
