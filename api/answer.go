package api

import (
	"encoding/json"
	"net/http"
	"strings"
)

// A fault is why a request to Alertmanager's API is refused before it is looked at. Its code is the HTTP status, or one
// above 600 that goes with status 422.
type fault struct {
	code    int
	message string
}

func (f *fault) Error() string { return f.message }

// The codes above HTTP's that Alertmanager's clients know.
const (
	codeInvalidType = 601
	codeRequired    = 602
	codeTooFew      = 612
)

func (f *fault) status() int {
	if f.code >= 600 {
		return http.StatusUnprocessableEntity
	}
	return f.code
}

// serve writes the fault in the shape of Alertmanager's framework: no newline at the end, `<` and `&` escaped.
func (f *fault) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := json.Marshal(struct { // a number and a string: it cannot fail
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{f.code, f.message})
	if f.code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	writeJSON(w, r, f.status(), body)
}

// sayBare writes a sentence in the shape of Alertmanager's handlers: a JSON string.
func sayBare(w http.ResponseWriter, r *http.Request, status int, message string) {
	writeJSON(w, r, status, append(appendString(nil, message, false), '\n'))
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever asked has gone: nothing to mend
	}
}

// refuseMethod says which methods there are, in Alertmanager's words.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed ...string) {
	w.Header().Set("Allow", strings.Join(allowed, ","))
	f := fault{http.StatusMethodNotAllowed, "method " + r.Method + " is not allowed, but [" + strings.Join(allowed, ",") + "] are"}
	f.serve(w, r)
}

// A Problem is an error of our own API: its code, a sentence that says what to do next, and the part of the request that
// it is about.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`

	status int
}

func (p *Problem) Error() string { return p.Message }

// problem is a Problem of a status; field may be empty.
func problem(status int, code, field, message string) *Problem {
	return &Problem{Code: code, Message: message, Field: field, status: status}
}

func (p *Problem) serve(w http.ResponseWriter, r *http.Request) {
	if p.status == http.StatusServiceUnavailable || p.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", retryAfter)
	}
	answer(w, r, p.status, struct {
		Error *Problem `json:"error"`
	}{p})
}

// answer writes v as our own API does: JSON with a newline at the end.
func answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own types come here
	}
	writeJSON(w, r, status, append(body, '\n'))
}
