package inflate

import "encoding/binary"

// symbols inflates code words into out[n:] until the block ends or fewer than
// Room bytes are free. It returns the new n. It keeps the fields of the input in
// local variables, so that the loop works in registers.
func (d *Decoder) symbols(out []byte, n int) (int, error) {
	src, pos, hold, have := d.src, d.pos, d.hold, d.have
	litLens, dists := &d.litLen.table, &d.dist.table
	ended := false
	for n <= len(out)-Room {
		if have < maxPairBits {
			hold |= word64(src, pos) << (have & 63)
			pos += int(63-have) >> 3
			have |= refillBits
		}
		e := litLens[hold&tableMask]
		if e == 0 {
			e = d.litLen.long(hold)
		}
		length := e.read(hold)
		hold >>= e.bits() & 63
		have -= e.bits()
		if e.kind() == literal {
			out[n] = byte(length)
			n++
			continue
		}
		if e.kind() != copying {
			if ended = e.kind() == ending; !ended {
				return n, ErrCorrupt
			}
			break
		}
		e = dists[hold&tableMask]
		if e == 0 {
			e = d.dist.long(hold)
		}
		distance := e.read(hold)
		hold >>= e.bits() & 63
		have -= e.bits()
		if e.kind() != copying || distance > n+len(d.window) {
			return n, ErrCorrupt
		}
		if length <= 16 && distance >= 8 && distance <= n {
			// Most matches are that short, and two words cost less than a call.
			from, to := out[n-distance:], out[n:]
			binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
			binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
			n += length
			continue
		}
		n = d.match(out, n, length, distance)
	}
	d.pos, d.hold, d.have = pos, hold, have
	if d.over() {
		return n, ErrCorrupt
	}
	if ended {
		d.end()
	}
	return n, nil
}

// match appends to out[:n] a copy of the length bytes that begin distance bytes
// earlier, in out or in the window, and returns the new n. Where source and
// destination overlap, each copy doubles the part that the next one can use.
func (d *Decoder) match(out []byte, n, length, distance int) int {
	end := n + length
	if back := distance - n; back > 0 {
		n += copy(out[n:end], d.window[len(d.window)-back:])
	}
	for n < end {
		n += copy(out[n:end], out[n-distance:n])
	}
	return n
}
