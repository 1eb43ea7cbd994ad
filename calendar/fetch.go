package calendar

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// FetchTimeout bounds one Fetch from the first byte to the last. Large calendars at busy hosts take some seconds.
	FetchTimeout = 30 * time.Second

	// MaxRedirects is how often a calendar may have moved. Google's and Nextcloud's addresses redirect once at most.
	MaxRedirects = 5

	maxValidator = 1 << 10 // bytes of an ETag; those of servers in use have fewer than 100
)

// Validators are what a server said of the version that it last sent. Zero: nothing is known, get it in any case.
type Validators struct{ ETag, LastModified string }

// ErrNotModified means that the calendar is as it was when the validators were handed out.
var ErrNotModified = errors.New("the calendar has not changed")

// Fetch gets the calendar at a URL of http, https, webcal or webcals; the latter two mean https. It returns the bytes
// for Read, at most MaxBytes of them, also after decompression, and the validators for the next time. The client nil
// is http.DefaultClient. Redirects are followed within MaxRedirects, never from https to http, and do not learn the
// address that they came from.
//
// The address of a private calendar holds a token that lets everybody read it. Errors name scheme and host only.
func Fetch(ctx context.Context, client *http.Client, address string, v Validators) (data []byte, fresh Validators, err error) {
	u, err := parseAddress(address)
	if err != nil {
		return nil, Validators{}, err
	}
	fail := func(err error) ([]byte, Validators, error) {
		return nil, Validators{}, fmt.Errorf("fetch the calendar from %s://%s: %w", u.Scheme, u.Host, err)
	}
	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fail(errors.New("the address cannot be asked for; copy it anew"))
	}
	req.Header.Set("Accept", "text/calendar, text/plain;q=0.5, */*;q=0.1")
	req.Header.Set("User-Agent", "Midwatch")
	if v.ETag != "" {
		req.Header.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		req.Header.Set("If-Modified-Since", v.LastModified)
	}
	res, err := guarded(client).Do(req)
	if err != nil {
		return fail(withoutSecrets(ctx, err))
	}
	defer res.Body.Close()
	fresh = Validators{bounded(res.Header.Get("ETag")), bounded(res.Header.Get("Last-Modified"))}
	if res.StatusCode == http.StatusNotModified && v != (Validators{}) {
		if fresh == (Validators{}) { // a server need not repeat them
			fresh = v
		}
		return nil, fresh, ErrNotModified
	}
	if err := acceptable(res); err != nil {
		return fail(err)
	}
	if data, err = body(res); err != nil {
		return fail(withoutSecrets(ctx, err))
	}
	start := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(data), bom))
	if len(start) < len("BEGIN:VCALENDAR") || !bytes.EqualFold(start[:len("BEGIN:VCALENDAR")], []byte("BEGIN:VCALENDAR")) {
		kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
		if err != nil {
			kind = "of no known type"
		}
		return fail(fmt.Errorf("the answer is no calendar (it is %s); if it is a page to log in, use the calendar's secret or public address in iCal format", kind))
	}
	return data, fresh, nil
}

// parseAddress reads an address; its errors do not repeat it.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return nil, errors.New("this is no address of a calendar; write one such as https://calendar.example.org/team.ics")
	}
	switch u.Scheme {
	case "http", "https":
	case "webcal", "webcals":
		u.Scheme = "https"
	default:
		return nil, fmt.Errorf("a calendar cannot be fetched by %s; write an address with https", quote(u.Scheme))
	}
	u.Fragment = ""
	return u, nil
}

// A refusal is an error of ours, and so without secrets.
type refusal string

func (r refusal) Error() string { return string(r) }

// guarded is the client with our rules for redirects, and then its own.
func guarded(client *http.Client) *http.Client {
	if client == nil {
		client = http.DefaultClient
	}
	c := *client
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		last := via[len(via)-1].URL
		switch {
		case len(via) > MaxRedirects:
			return refusal(fmt.Sprintf("it redirects more than %d times; use the address that it leads to in the end", MaxRedirects))
		case req.URL.Scheme != "http" && req.URL.Scheme != "https":
			return refusal("it redirects to an address that is neither http nor https")
		case last.Scheme == "https" && req.URL.Scheme == "http":
			return refusal("it redirects from https to http, where anybody on the way could read and change the calendar; use an address with https")
		}
		// Referer would hand the token to whoever the redirect leads to.
		req.Header.Del("Referer")
		if client.CheckRedirect != nil {
			return client.CheckRedirect(req, via)
		}
		return nil
	}
	return &c
}

// withoutSecrets says what went wrong on the way. Errors of net/http quote addresses, also those that a server redirects
// to, so only those are repeated that are known not to.
func withoutSecrets(ctx context.Context, err error) error {
	var (
		ours     refusal
		lookup   *net.DNSError
		dial     *net.OpError
		cert     *tls.CertificateVerificationError
		timeout  net.Error
		tooLarge = errors.Is(err, errTooLarge)
	)
	switch {
	case errors.As(err, &ours):
		return ours
	case tooLarge:
		return errTooLarge
	case errors.Is(context.Cause(ctx), context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no whole answer came in time")
	case errors.As(err, &cert):
		return fmt.Errorf("the certificate of the server is not trusted: %w", cert.Err)
	case errors.As(err, &lookup):
		return fmt.Errorf("the name of the host cannot be looked up: %s", lookup.Err)
	case errors.As(err, &dial):
		return fmt.Errorf("the host cannot be reached: %w", dial.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("the server speaks http, not https; mend the address")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the answer was cut off")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return errors.New("the answer is said to be gzip, and is not")
	}
	return errors.New("the server did not answer as HTTP wants it")
}

// acceptable judges the status, and what can be known before the body.
func acceptable(res *http.Response) error {
	status := fmt.Sprintf("the server answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	switch c := res.StatusCode; {
	case c == http.StatusOK:
	case c == http.StatusUnauthorized, c == http.StatusForbidden:
		return errors.New(status + "; share the calendar and use its secret or public address")
	case c == http.StatusNotFound, c == http.StatusGone:
		return errors.New(status + "; the address is wrong, or the calendar is no longer shared")
	default:
		return errors.New(status)
	}
	if res.ContentLength > MaxBytes {
		return errTooLarge
	}
	return nil
}

var errTooLarge = fmt.Errorf("the calendar is larger than %d bytes; share a calendar that holds only what is needed here, or one with less history", MaxBytes)

// body reads the answer, and decompresses what the transport has left compressed. A few bytes of gzip can become
// gigabytes, so the limit holds for both sides.
func body(res *http.Response) ([]byte, error) {
	var r io.Reader = io.LimitReader(res.Body, MaxBytes+1)
	switch encoding := strings.ToLower(strings.TrimSpace(res.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = io.LimitReader(z, MaxBytes+1)
	default:
		return nil, refusal(fmt.Sprintf("the answer is compressed by %s, which was not asked for", quote(encoding)))
	}
	data, err := io.ReadAll(r)
	if len(data) > MaxBytes {
		return nil, errTooLarge
	}
	return data, err
}

// bounded drops a validator that is too long to keep.
func bounded(s string) string {
	if len(s) > maxValidator {
		return ""
	}
	return s
}
