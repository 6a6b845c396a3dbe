package engineio

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// The numbers that an open packet may have, up to the border, and not beyond.
func TestOpeningBorders(t *testing.T) {
	for _, tt := range []struct {
		interval, timeout, most string
		ok                      bool
	}{
		{"1", "1", "0", true},
		{"2073600000", "2073600000", "1", true},
		{"0", "1", "0", false},
		{"2073600001", "1", "0", false},
		{"1", "0", "0", false},
		{"1", "2073600001", "0", false},
		{"1", "1", "-1", false},
	} {
		data := fmt.Sprintf(`{"sid":"x","pingInterval":%s,"pingTimeout":%s,"maxPayload":%s}`, tt.interval, tt.timeout, tt.most)
		if _, err := parseOpening([]byte(data)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// An error quotes at most 200 bytes of a server's text, and a shorter text whole.
func TestServerTextIsCut(t *testing.T) {
	for _, tt := range []struct{ given, want int }{{199, 199}, {200, 200}, {201, 200}, {400, 200}} {
		body := `{"code":3,"message":"` + strings.Repeat("x", tt.given) + `"}`
		err := responseError(http.MethodGet, http.StatusBadRequest, []byte(body), "")
		if want := strconv.Quote(strings.Repeat("x", tt.want)); !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s of %d bytes", err, want, tt.given)
		}
	}
}
