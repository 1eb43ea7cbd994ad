package notify

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	commoncfg "github.com/prometheus/common/config"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
)

// A templateField is one text of an integration's config that is a template.
type templateField struct {
	name string // its YAML name
	text string
	html bool // upstream executes it with html/template
}

// texts visits the strings of a receiver with one integration, and the structs they stand in, but not how HTTP is spoken.
func texts(r amconfig.Receiver, do func(reflect.Value)) {
	visit(reflect.ValueOf(r), func(v reflect.Value) bool {
		if _, ok := v.Interface().(commoncfg.HTTPClientConfig); ok {
			return false
		}
		if k := v.Kind(); k == reflect.Struct || k == reflect.String {
			do(v)
		}
		return true
	})
}

// textsOf collects every string of r. Two receivers with the same say the same.
func textsOf(r amconfig.Receiver) (all []string) {
	texts(r, func(v reflect.Value) {
		if v.Kind() == reflect.String {
			all = append(all, v.String())
		}
	})
	slices.Sort(all)
	return all
}

// templatesOf collects the templates of a receiver with one integration.
func templatesOf(r amconfig.Receiver) []templateField {
	var fields []templateField
	html := map[string]bool{}
	for _, c := range r.EmailConfigs {
		html[c.HTML] = true
	}
	for _, c := range r.TelegramConfigs {
		html[c.Message] = c.ParseMode == "HTML"
	}
	for _, c := range r.PushoverConfigs {
		html[c.Message] = c.HTML
	}
	names := map[string]string{}
	texts(r, func(v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				if f := v.Field(i); f.Kind() == reflect.String {
					name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
					names[f.String()] = name
				}
			}
			return
		}
		if text := v.String(); strings.Contains(text, "{{") {
			fields = append(fields, templateField{names[text], text, html[text]})
		}
	})
	return fields
}

// broken executes every template with the data of a message; it returns the first error, nil if all is well. Names of
// fields and positions are in it, values are not.
func (d *dressed) broken(templates *template.Template, data *template.Data) error {
	for _, f := range d.templates {
		execute := templates.ExecuteTextString
		if f.html {
			execute = templates.ExecuteHTMLString
		}
		if _, err := execute(f.text, data); err != nil {
			return fmt.Errorf("template of %q: %w", f.name, err)
		}
	}
	return nil
}
