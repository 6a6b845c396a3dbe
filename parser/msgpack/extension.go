package msgpack

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// Extensions (MessagePack specification, "Extension types"). The type 0 is the
// JavaScript encoder's own, in versions 2 of notepack.io: what it means depends on
// the format.
const (
	timestamp = -1
	own       = 0
)

// The formats of extensions whose type may be own.
const (
	fixext1 = 0xd4 // undefined
	fixext8 = 0xd7 // a Date, in milliseconds
	ext8    = 0xc7 // these three: an ArrayBuffer
	ext16   = 0xc8
	ext32   = 0xc9
)

// extension writes an extension. An unknown one becomes an array of its type and its
// data, as in JavaScript.
func (r *reader) extension() error {
	format := r.b[0]
	typ, data, err := r.extensionData()
	switch {
	case err != nil:
		return err
	case typ == timestamp && len(data) == 4:
		r.date(int64(binary.BigEndian.Uint32(data)), 0)
		return nil
	case typ == timestamp && len(data) == 8:
		n := binary.BigEndian.Uint64(data)
		r.date(int64(n&(1<<34-1)), int64(n>>34))
		return nil
	case typ == timestamp && len(data) == 12:
		r.date(int64(binary.BigEndian.Uint64(data[4:])), int64(binary.BigEndian.Uint32(data)))
		return nil
	case typ == own && format == fixext1:
		r.p.Data = append(r.p.Data, "null"...)
		return nil
	case typ == own && format == fixext8:
		ms := int64(binary.BigEndian.Uint64(data))
		r.date(ms/1000, ms%1000*1e6)
		return nil
	case typ == own && (format == ext8 || format == ext16 || format == ext32):
		return r.binary(data)
	}
	r.p.Data = append(r.p.Data, '[')
	r.p.Data = strconv.AppendInt(r.p.Data, int64(typ), 10)
	r.p.Data = append(r.p.Data, ',')
	err = r.binary(data)
	r.p.Data = append(r.p.Data, ']')
	return err
}

// extensionData reads the type and the data of an extension.
func (r *reader) extensionData() (typ int8, data []byte, err error) {
	format := r.b[0]
	r.b = r.b[1:]
	var size uint32
	if format >= fixext1 {
		size = 1 << (format - fixext1)
	} else {
		head, err := r.take(1 << (format - ext8))
		if err != nil {
			return 0, nil, err
		}
		for _, c := range head {
			size = size<<8 | uint32(c)
		}
	}
	head, err := r.take(1)
	if err != nil {
		return 0, nil, err
	}
	if uint64(size) > uint64(len(r.b)) {
		return 0, nil, errMsgpack
	}
	data, err = r.take(int(size))
	return int8(head[0]), data, err
}

// maxDate is the last second that a Date of JavaScript can have, from 1970 on.
const maxDate = 8_640_000_000_000

// date writes a time as the JSON of a Date: null if that would be invalid.
func (r *reader) date(seconds, nanoseconds int64) {
	p := r.p
	if seconds < -maxDate || seconds > maxDate || seconds == maxDate && nanoseconds > 0 {
		p.Data = append(p.Data, "null"...)
		return
	}
	t := time.Unix(seconds, nanoseconds).UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		p.Data = fmt.Appendf(p.Data, `"%+07d%s"`, year, t.Format("-01-02T15:04:05.000Z"))
		return
	}
	p.Data = t.AppendFormat(p.Data, `"2006-01-02T15:04:05.000Z"`)
}
