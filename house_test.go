// Package midwatch_test holds the house together: who may import whom, and what the nouns may not do.
package midwatch_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/midwatch/midwatch"

// arrows are what each package may import of ours, tests aside. A package that is not listed may not exist: it needs a
// place in docs/house.md first.
var arrows = map[string][]string{
	"router":     {},
	"incident":   {},
	"escalation": {},
	"oncall":     {},
	"slo":        {},
	"heartbeat":  {},
	"excerpt":    {},
	"store":      {},
	"calendar":   {},

	"notify": {"excerpt"},
	"chat":   {"excerpt"},
	"gossip": {"router"},
	"draw":   {"oncall"},
	"probe":  {"slo"},

	"store/bolt":      {"store"},
	"store/storetest": {"store"},

	"engine": {"router", "incident", "escalation", "oncall", "slo", "heartbeat", "store", "excerpt"},
	"config": {"router", "incident", "escalation", "oncall", "notify", "calendar", "slo"},
	"sim":    {"engine", "store", "router", "incident", "escalation", "oncall"},
	"web":    {"engine", "router", "incident", "escalation", "oncall", "excerpt", "slo", "heartbeat", "draw", "docs"},
	"api":    {"engine", "router", "incident", "escalation", "oncall", "slo", "calendar", "excerpt"},

	"docs":             {},
	"bench":            {},
	"examples":         {},
	"integration_test": {},
	"cmd/midwatch":     {"*"},
}

// nouns take the time as an argument, start nothing and do nothing by chance. draw and excerpt are none, and as pure.
var nouns = []string{"router", "incident", "escalation", "oncall", "slo", "heartbeat", "draw", "excerpt"}

// upstream is where Alertmanager's packages may be imported: it promises no stability, so few places know it.
var upstream = []string{"config", "router", "notify", "gossip", "cmd/midwatch"}

type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestArrows(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" {
			continue // this test
		}
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s has no place in the house", name)
			continue
		}
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "github.com/prometheus/alertmanager") && !slices.Contains(upstream, name) {
				t.Errorf("%s imports %s: Alertmanager is known to %s only", name, path, strings.Join(upstream, ", "))
			}
			ours, ok := strings.CutPrefix(path, module+"/")
			if ok && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s: it may import %v", name, ours, allowed)
			}
		}
	}
}

func TestNounsArePure(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if !slices.Contains(nouns, name) {
			continue
		}
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "math/rand") || path == "os" || path == "net" || path == "net/http" {
				t.Errorf("%s imports %s: chance and the world are inputs to the nouns", name, path)
			}
		}
		fset := token.NewFileSet()
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: a go statement: the nouns start nothing", fset.Position(n.Pos()))
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "AfterFunc", "NewTimer", "Sleep"}, n.Sel.Name) {
						t.Errorf("%s: time.%s: the nouns take the time as an argument", fset.Position(n.Pos()), n.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestModulesThatMayNotComeIn keeps out what the module proxies of some users do not serve.
func TestModulesThatMayNotComeIn(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(path, "go-abnf") {
			t.Errorf("%s is in go.mod; prometheus/common v0.73 brings it, stay at v0.72.1", path)
		}
		if path == "github.com/prometheus/common" && version != "v0.72.1" {
			t.Errorf("%s is at %s, want v0.72.1", path, strconv.Quote(version))
		}
	}
}
