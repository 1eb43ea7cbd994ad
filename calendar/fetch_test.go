package calendar

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token = "s3cr3t-t0k3n"
	tiny  = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
)

// serve is a server over TLS, and a client that trusts it.
func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s, s.Client()
}

func answer(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		io.WriteString(w, body)
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func TestFetch(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"calendar", answer(tiny, "Content-Type", "text/calendar; charset=utf-8")},
		{"text", answer(tiny, "Content-Type", "text/plain")},
		{"said to be a web page", answer(tiny, "Content-Type", "text/html")},
		{"untyped, behind a BOM", answer("\ufeff\r\n"+tiny, "Content-Type", "")},
		{"compressed though not asked", answer(zipped(tiny), "Content-Encoding", "gzip")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, client := serve(t, c.handler)
			data, fresh, err := Fetch(t.Context(), client, s.URL+"/"+token, Validators{})
			if err != nil || !strings.Contains(string(data), tiny) || fresh != (Validators{}) {
				t.Errorf("got %q %v %v", data, fresh, err)
			}
		})
	}
}

// TestFetchWithoutTransparentCompression: a transport that leaves compression alone hands gzip on.
func TestFetchWithoutTransparentCompression(t *testing.T) {
	s, client := serve(t, answer(zipped(tiny), "Content-Encoding", "gzip"))
	client.Transport.(*http.Transport).DisableCompression = true
	data, _, err := Fetch(t.Context(), client, s.URL, Validators{})
	if err != nil || string(data) != tiny {
		t.Errorf("got %q %v", data, err)
	}
}

func TestFetchAsksForWhatHasChanged(t *testing.T) {
	const tag, modified = `W/"abc"`, "Mon, 05 Jan 2026 09:00:00 GMT"
	s, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.URL.Path == "/quiet" {
			w.Header().Del("ETag")
		} else {
			w.Header().Set("Last-Modified", modified)
		}
		if r.Header.Get("If-None-Match") == tag || r.Header.Get("If-Modified-Since") == modified || r.URL.Path == "/always" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if r.Header.Get("User-Agent") != "Midwatch" || !strings.HasPrefix(r.Header.Get("Accept"), "text/calendar") {
			t.Errorf("asked with %v", r.Header)
		}
		io.WriteString(w, tiny)
	})
	_, fresh, err := Fetch(t.Context(), client, s.URL, Validators{})
	if want := (Validators{tag, modified}); err != nil || fresh != want {
		t.Fatalf("got %v %v, want %v", fresh, err, want)
	}
	for _, c := range []struct {
		path    string
		v, want Validators
	}{
		{"", fresh, fresh},
		{"", Validators{ETag: tag}, fresh},
		{"", Validators{LastModified: modified}, fresh},
		{"/quiet", Validators{ETag: tag}, Validators{ETag: tag}},
	} {
		data, got, err := Fetch(t.Context(), client, s.URL+c.path, c.v)
		if !errors.Is(err, ErrNotModified) || got != c.want || data != nil {
			t.Errorf("%s %v: got %q %v %v", c.path, c.v, data, got, err)
		}
	}
	if _, _, err := Fetch(t.Context(), client, s.URL+"/always", Validators{}); err == nil || errors.Is(err, ErrNotModified) {
		t.Errorf("304 without having asked: %v", err)
	}
}

// TestFetchErrorsKeepSecrets: every error says what to do, names the host, and nothing else of the address.
func TestFetchErrorsKeepSecrets(t *testing.T) {
	plain := httptest.NewServer(answer(tiny))
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	to := func(where string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", where)
			w.WriteHeader(http.StatusFound)
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		url     string // else the server's
		want    string
	}{
		{name: "401", handler: status(401), want: "401 Unauthorized; share the calendar"},
		{name: "404", handler: status(404), want: "404 Not Found; the address is wrong"},
		{name: "500", handler: status(500), want: "500 Internal Server Error"},
		{name: "no content", handler: status(204), want: "204"},
		{name: "web page", handler: answer("<html>"+token, "Content-Type", "text/html"), want: "no calendar (it is text/html)"},
		{name: "nothing", handler: answer(""), want: "no calendar"},
		{name: "broken type", handler: answer("x", "Content-Type", ";;"+token), want: "no calendar (it is of no known type)"},
		{name: "too large", handler: answer(strings.Repeat(tiny, MaxBytes/len(tiny)+1)), want: "larger than 1048576 bytes"},
		{name: "too large when told", handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9999999")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, want: "larger than"},
		{name: "gzip bomb", handler: answer(zipped(strings.Repeat("\x00", 64<<20)), "Content-Encoding", "gzip"), want: "larger than"},
		{name: "no gzip", handler: answer(tiny, "Content-Encoding", "gzip"), want: "is said to be gzip"},
		{name: "brotli", handler: answer(tiny, "Content-Encoding", "br"), want: `compressed by "br"`},
		{name: "cut off", handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, tiny)
		}, want: "cut off"},
		{name: "gone away", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: "cut off"},
		{name: "in circles", handler: to("/" + token), want: "more than 5 times"},
		{name: "to http", handler: to(plain.URL + "/" + token), want: "from https to http"},
		{name: "to a file", handler: to("file:///etc/passwd?" + token), want: "neither http nor https"},
		{name: "to no address", handler: to("https://%zz" + token), want: "HTTP"},
		{name: "nobody there", url: closed.URL + "/" + token, want: "cannot be reached"},
		{name: "http where https is meant", url: strings.Replace(plain.URL, "http:", "https:", 1) + "/" + token, want: "speaks http"},
		{name: "webcal means https", url: strings.Replace(plain.URL, "http:", "webcal:", 1) + "/" + token, want: "https://127.0.0.1"},
		{name: "scheme", url: "ftp://example.org/" + token, want: `by "ftp"`},
		{name: "no host", url: "https:///" + token, want: "no address"},
		{name: "no address", url: "https://exa mple/%zz" + token, want: "no address"},
		{name: "user", url: strings.Replace(closed.URL, "//", "//me:"+token+"@", 1), want: "cannot be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{}}
			if c.handler != nil {
				s, trusting := serve(t, c.handler)
				client = trusting
				c.url = s.URL + "/" + token + "?key=" + token + "#" + token
			}
			defer client.CloseIdleConnections()
			data, _, err := Fetch(t.Context(), client, c.url, Validators{})
			if err == nil || !strings.Contains(err.Error(), c.want) || data != nil {
				t.Fatalf("got %d bytes and %v, want %q", len(data), err, c.want)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), token) {
					t.Errorf("the error tells the secret: %v", e)
				}
			}
		})
	}
}

func TestFetchUntrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(answer(tiny))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it notes that the client went away
	s.StartTLS()
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if _, _, err := Fetch(t.Context(), client, s.URL, Validators{}); err == nil || !strings.Contains(err.Error(), "certificate of the server is not trusted") {
		t.Errorf("got %v", err)
	}
}

func TestFetchFollowsRedirectsWithoutTelling(t *testing.T) {
	end, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Referer() != "" || r.Header.Get("If-None-Match") != "x" {
			t.Errorf("the target learns %q, and is asked for %q", r.Referer(), r.Header.Get("If-None-Match"))
		}
		io.WriteString(w, tiny)
	})
	hops := 0
	start := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hops++; hops < MaxRedirects {
			http.Redirect(w, r, fmt.Sprintf("/%d", hops), http.StatusFound)
			return
		}
		http.Redirect(w, r, end.URL, http.StatusMovedPermanently)
	}))
	defer start.Close()
	data, _, err := Fetch(t.Context(), client, start.URL+"/"+token, Validators{ETag: "x"})
	if err != nil || string(data) != tiny || hops != MaxRedirects {
		t.Errorf("got %q %v after %d redirects", data, err, hops)
	}
	// The client's own rule counts too.
	hops = 0
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("no, " + token) }
	if _, _, err := Fetch(t.Context(), client, start.URL, Validators{}); err == nil || strings.Contains(err.Error(), token) || hops != 1 {
		t.Errorf("the client forbids redirects: %v after %d", err, hops)
	}
}

// A bomb is a little gzip that becomes much; it counts what is taken of it.
type bomb struct {
	rest  io.Reader
	taken int
}

func (b *bomb) Read(p []byte) (int, error) {
	n, err := b.rest.Read(p[:min(len(p), 64)])
	b.taken += n
	return n, err
}

func (b *bomb) Close() error { return nil }

func (b *bomb) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, ContentLength: -1, Body: b}, nil
}

func TestFetchStopsDecompressing(t *testing.T) {
	small := zipped(strings.Repeat("\x00", 32*MaxBytes))
	b := &bomb{rest: strings.NewReader(small)}
	_, _, err := Fetch(t.Context(), &http.Client{Transport: b}, "https://example.org/", Validators{})
	if err == nil || !strings.Contains(err.Error(), "larger than") || b.taken > len(small)/4 {
		t.Errorf("took %d of %d bytes: %v", b.taken, len(small), err)
	}
}

// A tarpit answers with one byte an hour.
type tarpit struct{ ctx context.Context }

func (p tarpit) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(tarpit{r.Context()})}, nil
}

func (p tarpit) Read(b []byte) (int, error) {
	select {
	case <-time.After(time.Hour):
		return copy(b, "B"), nil
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	}
}

func TestFetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, _, err := Fetch(t.Context(), &http.Client{Transport: tarpit{}}, "https://example.org/"+token, Validators{})
		if err == nil || !strings.Contains(err.Error(), "no whole answer came in time") || time.Since(began) != FetchTimeout {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, _, err = Fetch(ctx, &http.Client{Transport: tarpit{}}, "https://example.org/"+token, Validators{})
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), token) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestLongValidatorsAreDropped(t *testing.T) {
	s, client := serve(t, answer(tiny, "ETag", `"`+strings.Repeat("x", 2000)+`"`))
	if _, fresh, err := Fetch(t.Context(), client, s.URL, Validators{}); err != nil || fresh.ETag != "" {
		t.Errorf("got %d bytes, %v", len(fresh.ETag), err)
	}
}
