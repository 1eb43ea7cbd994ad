package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

// How long a command waits for the server.
const clientTimeout = 30 * time.Second

// A client speaks to a running Midwatch.
type client struct {
	base  *string
	token *string
	wait  time.Duration // for an answer; 0: clientTimeout
}

func serverFlags(c *kingpin.CmdClause) client {
	return client{
		base:  c.Flag("url", "The server. Also by MIDWATCH_URL.").Envar("MIDWATCH_URL").Default("http://127.0.0.1:9093").String(),
		token: c.Flag("token-file", "File with a bearer token for the server. Also MIDWATCH_TOKEN holds a token.").PlaceHolder("FILE").String(),
	}
}

// errUnreachable says that no answer came at all.
var errUnreachable = errors.New("the server cannot be reached")

// An apiError is what the server says of a request it did not take.
type apiError struct {
	Status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field"`
}

func (e *apiError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Message
}

// call makes a request of our API and reads the answer into v.
func (c client) call(ctx context.Context, method, path string, query url.Values, body, v any) error {
	base, err := url.Parse(*c.base)
	if err != nil || base.Host == "" {
		return fmt.Errorf("--url %q is not an address; write http://host:9093", *c.base)
	}
	u := base.JoinPath("api/midwatch/v1", path)
	u.RawQuery = query.Encode()
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(text)
	}
	wait := c.wait
	if wait == 0 {
		wait = clientTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), payload)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "midwatch/"+version)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	token, err := c.bearer()
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("%w at %s: %w", errUnreachable, base.Redacted(), err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	if resp.StatusCode >= 300 {
		wrapped := struct {
			Error apiError `json:"error"`
		}{}
		if json.Unmarshal(answer, &wrapped) != nil { // an answer of somebody in between has no such body
			_ = json.Unmarshal(answer, &wrapped.Error.Message) // Alertmanager's API answers with a text
		}
		wrapped.Error.Status = resp.StatusCode
		return &wrapped.Error
	}
	if v == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return fmt.Errorf("the answer of %s is not what a Midwatch says: %w", base.Redacted(), err)
	}
	return nil
}

// loginName is who runs the command; empty: nobody knows.
func loginName() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func (c client) bearer() (string, error) {
	if *c.token == "" {
		return os.Getenv("MIDWATCH_TOKEN"), nil
	}
	text, err := os.ReadFile(*c.token)
	return strings.TrimSpace(string(text)), err
}

// failCall prints why a call did not work and returns the exit code that says so.
func (o *output) failCall(err error) int {
	var e *apiError
	switch {
	case errors.Is(err, errUnreachable):
		return o.fail(exitUnreachable, err)
	case errors.As(err, &e) && e.Status == http.StatusNotFound:
		return o.fail(exitNothing, err)
	default:
		return o.fail(exitFailed, err)
	}
}
