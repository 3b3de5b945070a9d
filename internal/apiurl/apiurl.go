// Package apiurl reads the URLs of remote systems from settings. It is pure; the adapters share it, so
// that all settings accept and refuse the same.
package apiurl

import (
	"errors"
	"net/url"
	"strings"
)

// Parse reads an absolute http or https URL that paths can be joined to, and drops the slashes at its
// end. Its errors continue a sentence that begins with the name of the setting, and do not repeat the
// text: a URL that is wrong may well hold a password.
func Parse(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("is not set")
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("is not the http or https URL of a server")
	case u.User != nil:
		return nil, errors.New("holds a user name, which must be left out")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("holds more than scheme, host and path")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}
