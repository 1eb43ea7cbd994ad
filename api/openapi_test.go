package api

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// A schema is as much of a JSON schema as openapi.json uses.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Format     string            `json:"format"`
	Items      *schema           `json:"items"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Additional *schema           `json:"additionalProperties"`
	OneOf      []schema          `json:"oneOf"`
}

type operation struct {
	OperationID string `json:"operationId"`
	Parameters  []struct{ Name, In string }
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema schema }
	}
}

type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

func served(t *testing.T, w *world) (doc document) {
	t.Helper()
	w.want(200, "GET", "/api/midwatch/v1/openapi.json", "", &doc)
	return doc
}

func simulateNothing(context.Context, Simulation) (Simulated, error) { return Simulated{}, nil }

func TestOpenAPIListsEveryRouteAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) { o.Simulate = simulateNothing })
		doc := served(t, w)
		var described, mounted []string
		for path, verbs := range doc.Paths {
			for verb := range verbs {
				described = append(described, strings.ToUpper(verb)+" "+path)
			}
		}
		for _, r := range w.api.routes() {
			for verb := range r.verbs {
				mounted = append(mounted, verb+" "+r.pattern)
			}
		}
		slices.Sort(described)
		slices.Sort(mounted)
		if !slices.Equal(described, mounted) {
			t.Errorf("described: %q\nmounted: %q", described, mounted)
		}
	})
}

func TestOpenAPIDescribesTheGoTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc := served(t, start(t))
		types := map[string]reflect.Type{
			"Incident": reflect.TypeFor[Incident](), "Alert": reflect.TypeFor[Alert](), "Event": reflect.TypeFor[Event](),
			"Incidents": reflect.TypeFor[Incidents](), "Act": reflect.TypeFor[Act](), "To": reflect.TypeFor[To](),
			"OnCall": reflect.TypeFor[OnCall](), "Duty": reflect.TypeFor[Duty](), "Shifts": reflect.TypeFor[Shifts](),
			"Shift": reflect.TypeFor[oncall.Shift](), "Override": reflect.TypeFor[Override](), "Overridden": reflect.TypeFor[Overridden](),
			"StandingOverride": reflect.TypeFor[StandingOverride](), "StandingOverrides": reflect.TypeFor[StandingOverrides](),
			"Swap": reflect.TypeFor[Swap](), "Swaps": reflect.TypeFor[Swaps](), "Swapping": reflect.TypeFor[Swapping](),
			"Consent": reflect.TypeFor[Consent](), "Stretch": reflect.TypeFor[oncall.Stretch](),
			"SLO": reflect.TypeFor[SLO](), "SLOs": reflect.TypeFor[SLOs](), "Correction": reflect.TypeFor[Correction](),
			"Corrections": reflect.TypeFor[Corrections](), "Correcting": reflect.TypeFor[Correcting](),
			"Opening": reflect.TypeFor[Opening](),
			"Gap":     reflect.TypeFor[oncall.Gap](), "Gaps": reflect.TypeFor[Gaps](),
			"Feed": reflect.TypeFor[Feed](), "Feeds": reflect.TypeFor[Feeds](), "Feeding": reflect.TypeFor[Feeding](),
			"Absence": reflect.TypeFor[Absence](), "Absences": reflect.TypeFor[Absences](), "Leave": reflect.TypeFor[Leave](),
			"Conflict": reflect.TypeFor[Conflict](), "Conflicts": reflect.TypeFor[Conflicts](),
			"Health": reflect.TypeFor[Health](), "Heartbeat": reflect.TypeFor[Heartbeat](), "Heartbeats": reflect.TypeFor[Heartbeats](),
			"Channel": reflect.TypeFor[Channel](), "Channels": reflect.TypeFor[Channels](),
			"Testing": reflect.TypeFor[Testing](), "Tested": reflect.TypeFor[Tested](), "TestResult": reflect.TypeFor[TestResult](),
			"Daemon": reflect.TypeFor[Daemon](), "DaemonStore": reflect.TypeFor[DaemonStore](), "DaemonCluster": reflect.TypeFor[DaemonCluster](),
			"Compacting": reflect.TypeFor[Compacting](), "Compacted": reflect.TypeFor[Compacted](),
			"Delivery": reflect.TypeFor[Delivery](), "Deliveries": reflect.TypeFor[Deliveries](), "Audit": reflect.TypeFor[Audit](),
			"Simulation": reflect.TypeFor[Simulation](), "Simulated": reflect.TypeFor[Simulated](),
			"SimulatedEvent": reflect.TypeFor[SimulatedEvent](), "Problem": reflect.TypeFor[Problem](),
			"Silence": reflect.TypeFor[Silence](), "Silences": reflect.TypeFor[Silences](), "Silencing": reflect.TypeFor[Silencing](),
			"Condition": reflect.TypeFor[Condition](), "Muted": reflect.TypeFor[Muted](), "Preview": reflect.TypeFor[Preview](),
			"RecurringSilence": reflect.TypeFor[RecurringSilence](), "RecurringSilences": reflect.TypeFor[RecurringSilences](),
			"Recurrence": reflect.TypeFor[Recurrence](), "Window": reflect.TypeFor[Window](),
			"Browser": reflect.TypeFor[Browser](), "Browsers": reflect.TypeFor[Browsers](),
			"Inviting": reflect.TypeFor[Inviting](), "PushLink": reflect.TypeFor[PushLink](),
			"Error": reflect.TypeFor[struct {
				Error *Problem `json:"error"`
			}](),
		}
		if got, want := slices.Sorted(maps.Keys(doc.Components.Schemas)), slices.Sorted(maps.Keys(types)); !slices.Equal(got, want) {
			t.Errorf("schemas: %q\ntypes: %q", got, want)
		}
		for name, typ := range types {
			s := doc.Components.Schemas[name]
			var members, always []string
			for i := range typ.NumField() {
				f := typ.Field(i)
				tag, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
				if !f.IsExported() || tag == "-" {
					continue
				}
				members = append(members, tag)
				if rest == "" {
					always = append(always, tag)
				}
				if problem := differs(s.Properties[tag], f.Type); problem != "" {
					t.Errorf("%s.%s: %s", name, tag, problem)
				}
			}
			slices.Sort(members)
			slices.Sort(always)
			slices.Sort(s.Required)
			if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, members) {
				t.Errorf("%s: described %q, the type has %q", name, got, members)
			}
			if !slices.Equal(s.Required, always) {
				t.Errorf("%s: required %q, always there are %q", name, s.Required, always)
			}
		}
	})
}

// differs says how a schema does not fit a Go type.
func differs(s schema, typ reflect.Type) string {
	want := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Uint64: "integer",
		reflect.Float64: "number", reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "$ref",
	}[typ.Kind()]
	switch {
	case typ == reflect.TypeFor[time.Time]():
		if s.Type != "string" || s.Format != "date-time" {
			return "want a date-time"
		}
		return ""
	case typ == reflect.TypeFor[router.Labels]():
		want = "object"
	case typ.Kind() == reflect.Pointer:
		return differs(s, typ.Elem())
	case len(s.OneOf) > 0: // the type reads several forms, and is one of them
		if !slices.ContainsFunc(s.OneOf, func(one schema) bool { return differs(one, typ) == "" }) {
			return "is none of what is described"
		}
		return ""
	}
	got := s.Type
	if s.Ref != "" {
		got = "$ref"
		if want == "$ref" && s.Ref != "#/components/schemas/"+typ.Name() {
			return "refers to " + s.Ref
		}
	}
	if got != want {
		return "is described as " + got + ", want " + want
	}
	if want == "array" {
		return differs(*s.Items, typ.Elem())
	}
	return ""
}

func TestOpenAPIHoldsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc := served(t, start(t))
		if doc.OpenAPI != "3.1.0" {
			t.Errorf("version %q", doc.OpenAPI)
		}
		ids := map[string]string{}
		for path, verbs := range doc.Paths {
			for verb, op := range verbs {
				if other := ids[op.OperationID]; other != "" || op.OperationID == "" {
					t.Errorf("%s %s: operation id %q is taken by %q", verb, path, op.OperationID, other)
				}
				ids[op.OperationID] = path
				for _, segment := range strings.Split(path, "/") {
					name, variable := strings.CutPrefix(segment, "{")
					name = strings.TrimSuffix(name, "}")
					if variable && !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name && p.In == "path" }) {
						t.Errorf("%s %s: {%s} is not described", verb, path, name)
					}
				}
				for status, r := range op.Responses {
					if r.Description == "" {
						t.Errorf("%s %s: %s has no description", verb, path, status)
					}
				}
			}
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range strings.Split(string(raw), `"$ref":"#/components/schemas/`)[1:] {
			name, _, _ := strings.Cut(piece, `"`)
			if _, ok := doc.Components.Schemas[name]; !ok {
				t.Errorf("%s is referred to and not there", name)
			}
		}
	})
}

// TestTheQueryIsWhatIsDescribed asks every GET with each parameter that it describes, and with one that it does not.
func TestTheQueryIsWhatIsDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		examples := map[string]string{
			"status": "open", "severity": "sev2", "policy": "db", "limit": "1", "cursor": "1", "at": "2000-01-01T00:00:00Z",
			"schedule": "db-primary", "from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "incident": "INC-1",
			"state": "active,pending", "matcher": "team%3Ddb", "past": "true", "user": "ana", "receiver": "db", "outcome": "failed",
		}
		silence := w.silence(`{"matchers":["team=db"],"for":"1h","by":"ana"}`).ID
		for path, verbs := range served(t, w).Paths {
			op, ok := verbs["get"]
			if !ok || strings.HasSuffix(path, "openapi.json") {
				continue
			}
			path = strings.NewReplacer("silences/{id}", "silences/"+silence, "{id}", "INC-1", "users/{name}", "users/ana", "{name}", "db-primary").Replace(path)
			for _, p := range op.Parameters {
				if p.In != "query" {
					continue
				}
				example := examples[p.Name]
				if p.Name == "state" && strings.HasSuffix(path, "/swaps") {
					example = "open,expired"
				}
				if p.Name == "state" && strings.HasSuffix(path, "/heartbeats") {
					example = "late"
				}
				if p.Name == "state" && strings.HasSuffix(path, "/channels") {
					example = "failing"
				}
				rec := w.do("GET", path+"?"+p.Name+"="+example, "")
				if p.Name == "to" { // a hundred years are more than one answer holds
					if rec.Code != 400 || !strings.Contains(rec.Body.String(), "400 days") {
						t.Errorf("%s?to: %d %s", path, rec.Code, rec.Body)
					}
					continue
				}
				if rec.Code != 200 {
					t.Errorf("%s?%s: %d %s", path, p.Name, rec.Code, rec.Body)
				}
			}
			if e := w.refused(400, "GET", path+"?colour=red", ""); e.Field != "colour" {
				t.Errorf("%s?colour: %+v", path, e)
			}
		}
	})
}
