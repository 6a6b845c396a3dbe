package socketio

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// errComma is the error of a namespace that a packet can't name: there the comma ends it.
var errComma = errors.New("namespace has a comma")

// splitURL returns where the requests of Engine.IO go, its host, and the namespace: of a URL the
// path is the namespace, as in the JavaScript client, and path is where the server is.
//
//	https://example.com/admin?token=t   https://example.com/socket.io/?token=t   /admin
//	wss://example.com                   wss://example.com/socket.io/             /
//	example.com:3000                    https://example.com:3000/socket.io/      /
func splitURL(text, path string) (engine, host, namespace string, err error) {
	if scheme, _, ok := strings.Cut(text, "://"); !ok || strings.ContainsAny(scheme, "/?#:.") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, whose query may be a secret
		}
		return "", "", "", fmt.Errorf("URL: %w", err)
	case u.Host == "":
		return "", "", "", errors.New("URL has no host")
	}
	if namespace = u.EscapedPath(); namespace == "" {
		namespace = "/"
	}
	if strings.Contains(namespace, ",") {
		return "", "", "", errComma
	}
	u.Path, u.RawPath, u.Fragment, u.RawFragment = path, "", "", ""
	return u.String(), u.Host, namespace, nil
}
