package config

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/midwatch/midwatch/oncall"
)

// The names of lib/time/zoneinfo.zip of Go 1.26 that have an area and a place. The Etc ones are left out: in them GMT+1
// lies west of Greenwich, and nobody who writes that means it.
//
//go:embed zones.txt
var zoneText string

var zoneNames = sync.OnceValue(func() []string { return strings.Fields(zoneText) })

// parseZone says of a name that is none which may have been meant.
func parseZone(v string) error {
	_, err := oncall.ParseZone(v)
	if err == nil {
		return nil
	}
	if near := nearZone(v); near != "" {
		message, _ := splitHint(err)
		return fmt.Errorf("%s; did you mean %q?", message, near)
	}
	return err
}

// nearZone is the zone of a place by its name alone, or of a name with a letter wrong; empty: there is none like it.
// Abbreviations are too short to be like anything.
func nearZone(v string) string {
	const short = 4
	place := strings.ReplaceAll(strings.TrimSpace(v), " ", "_")
	if len(place) <= short {
		return ""
	}
	i := slices.IndexFunc(zoneNames(), func(name string) bool {
		return strings.EqualFold(name, place) || strings.EqualFold(name[strings.LastIndexByte(name, '/')+1:], place)
	})
	if i >= 0 {
		return zoneNames()[i]
	}
	return nearest(place, zoneNames())
}
