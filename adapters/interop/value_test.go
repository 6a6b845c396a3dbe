package interop

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// What JSON does not have, for Node to send: see interop/js/cluster.mjs.
var (
	undefined = map[string]any{"$undefined": true}
	notANum   = map[string]any{"$number": "NaN"}
	infinity  = map[string]any{"$number": "-Infinity"}
)

func date(milliseconds int64) any { return map[string]any{"$date": milliseconds} }

// marked returns v with octets as Node's process writes and reads them.
func marked(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$octets": base64.StdEncoding.EncodeToString(v)}
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = marked(e)
		}
		return list
	case map[string]any:
		m := make(map[string]any)
		for name, e := range v {
			m[name] = marked(e)
		}
		return m
	}
	return v
}

// line writes values in one line: the same values in the same way, whatever their type.
func line(values ...any) string {
	text, err := json.Marshal(marked(values))
	var again any
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err == nil {
		text, err = json.Marshal(again) // with the members of objects sorted
	}
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}

// revived returns v with octets where it has what Node makes of them in JSON, and does not
// undo: the data of sockets and the arguments of servers' events in classic messages.
func revived(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = revived(e)
		}
		return list
	case map[string]any:
		if data, ok := v["data"].([]any); ok && len(v) == 2 && v["type"] == "Buffer" {
			octets := make([]byte, len(data))
			for i, n := range data {
				number, _ := n.(float64)
				octets[i] = byte(number)
			}
			return octets
		}
		m := make(map[string]any)
		for name, e := range v {
			m[name] = revived(e)
		}
		return m
	}
	return v
}
