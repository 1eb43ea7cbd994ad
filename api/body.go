package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// peekBody reports whether the request has a body at all, as Alertmanager's framework sees it: a length of 0 that was
// written down means none, whatever the content type.
func peekBody(r *http.Request) bool {
	switch {
	case r.ContentLength > 0:
		return true
	case r.Body == nil, r.Header.Get("Content-Length") != "":
		return false
	}
	peeked := bufio.NewReader(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{peeked, r.Body}
	b, _ := peeked.Peek(1)
	return len(b) > 0
}

// negotiate is what Alertmanager's framework looks at before it reads a request: what is sent, and what is wanted. A
// client that sends JSON takes it too, whatever it says.
func negotiate(r *http.Request) *fault {
	switch {
	case peekBody(r):
		return checkType(r)
	case !acceptsJSON(r):
		return &fault{http.StatusNotAcceptable, "unsupported media type requested, only [application/json] are available"}
	}
	return nil
}

// checkType wants application/json, in Alertmanager's words.
func checkType(r *http.Request) *fault {
	written := r.Header.Get("Content-Type")
	media := "application/octet-stream"
	if written != "" {
		var err error
		if media, _, err = mime.ParseMediaType(written); err != nil {
			return &fault{http.StatusBadRequest, fmt.Sprintf("parsing Content-Type header from %q failed, because %s", written, err)}
		}
	}
	if major, minor, _ := strings.Cut(media, "/"); major == "" || minor == "" {
		return &fault{http.StatusBadRequest, fmt.Sprintf("parsing Content-Type header from %q failed, because mediatype: malformed: %[1]q has no subtype", media)}
	}
	if media != "application/json" {
		return &fault{http.StatusUnsupportedMediaType, fmt.Sprintf("unsupported media type %q, only [application/json] are allowed", media)}
	}
	return nil
}

// acceptsJSON reports whether the client says that it takes JSON, or says nothing.
func acceptsJSON(r *http.Request) bool {
	wanted := r.Header.Values("Accept")
	if len(wanted) == 0 {
		return true
	}
	for _, entry := range splitQuoted(strings.Join(wanted, ", ")) {
		media, params, err := mime.ParseMediaType(entry)
		if err != nil || params["q"] != "" && strings.Trim(params["q"], "0.") == "" {
			continue
		}
		if major, minor, ok := strings.Cut(media, "/"); ok && minor != "" &&
			(major == "*" || major == "application") && (minor == "*" || minor == "json" || major == "*") {
			return true
		}
	}
	return false
}

// splitQuoted splits at commas outside of quotes.
func splitQuoted(s string) (parts []string) {
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// readBodyInto reads what was posted, unpacked where it is packed, but never more than limit bytes, into a buffer, which must be
// empty. The body lies in there. It is counted by the arrival; where there was no room, the arrival says so. advice is how to
// send less, after a semicolon.
func readBodyInto(body *bytes.Buffer, count *arrival, w http.ResponseWriter, r *http.Request, limit int64, advice string) ([]byte, *fault) {
	tooLarge := &fault{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes%s", limit, advice)}
	var from io.Reader = http.MaxBytesReader(w, r.Body, limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	switch coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ", "))); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(from)
		if err != nil {
			return nil, unreadable(err, tooLarge, "Content-Encoding says gzip, but the body is not: ")
		}
		defer func() { _ = unpacked.Close() }() // it holds nothing but memory
		tooLarge.message = fmt.Sprintf("the body is larger than %d bytes after decompression%s", limit, advice)
		from = io.LimitReader(unpacked, limit+1)
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, &fault{http.StatusUnsupportedMediaType, fmt.Sprintf("content encoding %q is not supported; send gzip, or no encoding", coding)}
	}
	if r.ContentLength > 0 {
		body.Grow(int(min(r.ContentLength, keptBytes/2)) + bytes.MinRead) // of a large one there may be nothing but the promise
	}
	count.from, from = from, count
	if _, err := body.ReadFrom(from); err != nil {
		return nil, unreadable(err, tooLarge, "the body did not arrive whole: ")
	}
	if int64(body.Len()) > limit {
		return nil, tooLarge
	}
	return body.Bytes(), nil
}

func unreadable(err error, tooLarge *fault, doing string) *fault {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return tooLarge
	}
	return &fault{http.StatusBadRequest, doing + err.Error()}
}

// checkDepth refuses a body that nests deeper than anything we take.
func checkDepth(body []byte) *fault {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted:
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return &fault{http.StatusBadRequest, fmt.Sprintf("the body nests deeper than %d levels", maxDepth)}
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return nil
}
