package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/oncall"
)

// Limits of what is made at run time.
const (
	maxOverrides = 10_000               // of one schedule
	keepOver     = 400 * 24 * time.Hour // so long after its end an override or absence may make room for a new one
)

// overrides are those of one schedule that were made at run time, in the order of their making.
type overrides struct{ list []oncall.Override }

// over is the file's schedule with the overrides. One that no longer fits (its layer was renamed) is left out; it comes
// back with its layer.
func (o overrides) over(s *oncall.Schedule) *oncall.Schedule {
	if len(o.list) == 0 {
		return s
	}
	with, _ := s.WithOverrides(o.list)
	return with
}

// madeID names an override or absence made at run time after its schedule or user. No name has a second meaning: what
// comes after the last dash is the number.
func madeID(owner string, number uint64) string { return fmt.Sprintf("%s-%d", owner, number) }

// fileID names the i-th one of the configuration file.
func fileID(owner string, i int) string { return fmt.Sprintf("%s-f%d", owner, i+1) }

// numberOf is the number in an ID that madeID made; 0: it made none like this.
func numberOf(id string) uint64 {
	n, _ := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	return n
}

// numbered is the next number for what is made at run time. None is ever given twice.
func (c *Core) numbered() uint64 {
	c.number++
	c.keepNumber()
	return c.number
}

// keepNumber remembers the newest number, also when what it was given to goes.
func (c *Core) keepNumber() { c.put(keyNumber, encode("number", c.number)) }

// override takes in a change of who is on call, made while running.
func (c *Core) override(in Override) Answer {
	file := c.cfg.Schedules[in.Schedule]
	if file == nil {
		return Answer{Err: c.noSchedule(in.Schedule)}
	}
	o := in.Override
	o.CreatedBy, o.CreatedAt = in.By, c.now
	if utf8.RuneCountInString(in.By) > maxName {
		return Answer{Err: refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)}
	}
	if _, err := file.WithOverrides([]oncall.Override{o}); err != nil {
		return Answer{Err: refuse("invalid", "", "%s", plainly(err))}
	}
	if start, end := file.Span(o); !end.After(start) {
		return Answer{Err: refuse("invalid", "to", "the clocks of %s skip all of it; name times that exist on that day", file.Spec().Zone)}
	} else if !end.After(c.now) {
		return Answer{Err: refuse("invalid", "to", "it would have ended at %s; what has been stays as it was recorded, so make one that ends in the future", instantText(end))}
	}
	if err := c.roomForOverrides(in.Schedule, 1); err != nil {
		return Answer{Err: err}
	}
	was, others := c.schedules[in.Schedule], c.overrides[in.Schedule].list
	c.cause = cause{in.By, o.String()}
	made := c.makeOverrides(in.Schedule, o)
	return Answer{Override: made[0], Warnings: oncall.Doubts(was, c.schedules[in.Schedule], made[0], c.now, others, c.allAbsences())}
}

// plainly says what is wrong without the place in a file that nobody wrote.
func plainly(err error) string {
	var why oncall.Problems
	if errors.As(err, &why) && len(why) > 0 {
		return why[0].What
	}
	return err.Error()
}

// makeOverrides makes overrides that were checked, in one unit with what they change now.
func (c *Core) makeOverrides(schedule string, os ...oncall.Override) []oncall.Override {
	c.keepWatch(schedule) // by the schedule that held until now
	made := c.overrides[schedule]
	made.list = slices.Clip(made.list)
	for i := range os {
		n := c.numbered()
		os[i].ID = madeID(schedule, n)
		made.list = append(made.list, os[i])
		c.put(overrideKey(schedule, n), encode("override", os[i]))
	}
	c.overrule(schedule, made)
	return os
}

// overrule lays other overrides over a schedule of the file.
func (c *Core) overrule(schedule string, made overrides) {
	c.overrides[schedule] = made
	c.schedules[schedule] = made.over(c.cfg.Schedules[schedule])
	c.keepWatch(schedule)
}

// roomForOverrides sees to it that there is room for some more. Those that are long over make it.
func (c *Core) roomForOverrides(schedule string, more int) error {
	made, file := c.overrides[schedule], c.cfg.Schedules[schedule]
	if len(made.list)+more <= maxOverrides {
		return nil
	}
	made.list = slices.DeleteFunc(slices.Clone(made.list), func(o oncall.Override) bool {
		_, end := file.Span(o)
		long := !end.Add(keepOver).After(c.now)
		if long {
			c.put(overrideKey(schedule, numberOf(o.ID)), nil)
		}
		return long
	})
	c.overrides[schedule] = made
	if len(made.list)+more > maxOverrides {
		return refuse("invalid", "schedule", "schedule %s has %d overrides, the most there can be; put lasting ones into the file", schedule, len(made.list))
	}
	return nil
}

// dropOverride takes back an override made at run time, from now on.
func (c *Core) dropOverride(in DropOverride) Answer {
	file := c.cfg.Schedules[in.Schedule]
	if file == nil {
		return Answer{Err: c.noSchedule(in.Schedule)}
	}
	made := c.overrides[in.Schedule]
	i := slices.IndexFunc(made.list, func(o oncall.Override) bool { return o.ID == in.ID })
	if i < 0 {
		for j := range file.Spec().Overrides {
			if in.ID == fileID(in.Schedule, j) {
				return Answer{Err: refuse("conflict", "id", "%s is override %d of schedule %s in the configuration file; change it there and reload", in.ID, j+1, in.Schedule)}
			}
		}
		return Answer{Err: refuse("not_found", "id", "schedule %s has no override %q", in.Schedule, cut(in.ID, maxName))}
	}
	o := made.list[i]
	if _, end := file.Span(o); !end.After(c.now) {
		return Answer{Err: refuse("conflict", "id", "%s was over at %s; what has been stays as it was recorded", o.ID, instantText(end))}
	}
	c.keepWatch(in.Schedule)
	c.cause = cause{in.By, fmt.Sprintf("the override %q was taken back", o.String())}
	made.list = slices.Delete(slices.Clone(made.list), i, i+1)
	c.put(overrideKey(in.Schedule, numberOf(o.ID)), nil)
	c.keepNumber()
	c.overrule(in.Schedule, made)
	a := Answer{Override: o}
	if o.Swap != "" {
		a.Warnings = c.restOfSwap(made, o.Swap)
	}
	return a
}

// restOfSwap says what is left of a swap of which an override was taken back.
func (c *Core) restOfSwap(made overrides, swap string) []string {
	var left []string
	for _, o := range made.list {
		if o.Swap == swap && o.End.After(c.now) {
			left = append(left, o.ID)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("it was part of %s, of which %s stays; remove the rest, too, if the swap is off", swap, strings.Join(left, ", "))}
}

func (c *Core) noSchedule(name string) error {
	err := c.unknown("schedule", "schedule", cut(name, maxName), slices.Collect(maps.Keys(c.schedules)))
	return err
}

func overrideKey(schedule string, n uint64) string { return prefOverride + schedule + "/" + seqKey(n) }

func instantText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// An OverrideView is an override as it stands.
type OverrideView struct {
	oncall.Override
	Begins, Ends time.Time // also where it was written in wall times
	FromFile     bool      // it is changed there
	Problem      string    // why it does nothing at the moment; empty: all is well
}

// Overrides are those of a schedule, the file's before those made at run time, each in the order of their making.
func (e *Engine) Overrides(schedule string) (views []OverrideView) {
	e.mu.RLock()
	file, made := e.core.cfg.Schedules[schedule], e.core.overrides[schedule].list
	e.mu.RUnlock()
	if file == nil {
		return nil
	}
	view := func(o oncall.Override) OverrideView {
		v := OverrideView{Override: o}
		v.Begins, v.Ends = file.Span(o)
		return v
	}
	for i, o := range file.Spec().Overrides {
		v := view(o)
		v.ID, v.FromFile = fileID(schedule, i), true
		views = append(views, v)
	}
	for _, o := range made {
		v := view(o)
		if _, err := file.WithOverrides([]oncall.Override{o}); err != nil {
			v.Problem = plainly(err)
		}
		views = append(views, v)
	}
	return views
}

// sayChange logs who changed who is on call.
func (e *Engine) sayChange(in Input, a Answer) {
	if a.Err != nil {
		return
	}
	switch in := in.(type) {
	case Override:
		e.log.Info("an override was made", zap.String("id", a.Override.ID), zap.String("what", a.Override.String()), zap.String("by", in.By))
	case DropOverride:
		e.log.Info("an override was removed", zap.String("id", in.ID), zap.String("by", in.By))
	case RequestSwap:
		e.log.Info("a swap was asked for", zap.String("id", a.Swap.ID()), zap.String("user", a.Swap.User), zap.String("with", a.Swap.With), zap.String("by", a.Swap.CreatedBy))
	case SettleSwap:
		e.log.Info("a swap was settled", zap.String("id", a.Swap.ID()), zap.String("state", string(a.Swap.State)), zap.String("by", in.By))
	case AddAbsence:
		e.log.Info("an absence was added", zap.String("id", a.Absence.ID), zap.String("by", a.Absence.CreatedBy))
	case AddFeed:
		e.log.Info("a calendar feed was made", zap.String("id", a.Feed.ID()), zap.String("user", a.Feed.User), zap.String("schedule", a.Feed.Schedule), zap.String("by", a.Feed.CreatedBy))
	case DropFeed:
		e.log.Info("a calendar feed was revoked", zap.String("id", a.Feed.ID()), zap.String("by", in.By))
	case DropAbsence:
		e.log.Info("an absence was removed", zap.String("id", in.ID), zap.String("by", in.By))
	}
}
