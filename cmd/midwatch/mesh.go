package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/gossip"
	"github.com/midwatch/midwatch/router"
)

// leaveTime is how long the peers have to hear that we go.
const leaveTime = 10 * time.Second

// meshed reports whether there is gossip. Somebody who just tries Midwatch out has asked for none.
func (d *daemon) meshed() bool {
	return *d.flags.cluster.listenAddress != "" && !*d.flags.demo && (d.source.file != "" || len(*d.flags.cluster.peers) > 0)
}

// awaitsPeers reports whether receivers are told nothing until the peers have met, as Alertmanager has it. Where nobody is
// named there is nobody to wait for.
func (d *daemon) awaitsPeers() bool { return d.meshed() && len(*d.flags.cluster.peers) > 0 }

// loneIncidents refuses what would page people twice: peers share silences and what receivers have been told, but not
// incidents.
func (d *daemon) loneIncidents(cfg *config.Config) error {
	if len(*d.flags.cluster.peers) == 0 || len(cfg.Incidents) == 0 {
		return nil
	}
	return errors.New("receivers with incident_configs and --cluster.peer exclude each other: peers gossip silences and the notification log, not incidents, so each would page the same people; take out one of them (docs/migration.md)")
}

// join makes us a member of the cluster. The engine must have been started, and not be running yet.
func (d *daemon) join() error {
	if !d.meshed() {
		return nil
	}
	o := d.flags.cluster.options()
	o.Logger, o.Registerer = d.log.slog.With("component", "cluster"), d.registry
	o.Silences = func() []router.Silence { return d.engine.Router().Silences() }
	o.Log = func() []router.LogEntry { return d.engine.Router().LogEntries() }
	o.MergeSilences = func(all []router.Silence, onward bool) { d.engine.Tell(engine.Gossip{Silences: all, Onward: onward}) }
	o.MergeLog = func(all []router.LogEntry, onward bool) { d.engine.Tell(engine.Gossip{Log: all, Onward: onward}) }
	o.Changed = func(ready bool, wait time.Duration) {
		d.engine.Tell(engine.Peers{Ready: ready || !d.awaitsPeers(), Wait: wait})
		if cfg := d.current.Load(); cfg != nil && len(cfg.cfg.Incidents) > 0 && wait > 0 {
			d.log.zap.Error("other nodes joined this cluster while receivers have incident_configs: each node pages the same people; take the peers away (docs/migration.md)")
		}
	}
	mesh, err := gossip.Join(o)
	if err != nil && len(o.Peers) == 0 && !*d.flags.cluster.chosen {
		d.log.zap.Warn("no peers can join this node, and none was named; midwatch goes on without gossip", zap.Error(err))
		return nil
	}
	if err != nil {
		return err
	}
	d.mesh.Store(mesh)
	if d.events != nil {
		mesh.Attend(d.events.out)
	}
	return nil
}

// leave says goodbye.
func (d *daemon) leave() {
	if mesh := d.mesh.Load(); mesh != nil {
		if err := mesh.Leave(leaveTime); err != nil {
			d.log.zap.Warn("the peers were not told that midwatch goes; they will find out", zap.Error(err))
		}
	}
}

// observe sees what the router said, once it is on disk: peers hear of what changed.
func (d *daemon) observe(effects []router.Effect) {
	d.logSilences(effects)
	d.events.observe(effects)
	d.tellEffects(effects)
	mesh := d.mesh.Load()
	if mesh == nil {
		return
	}
	var silences, heard []router.Silence
	var told, merged []router.LogEntry
	for _, e := range effects {
		switch e := e.(type) {
		case router.SilenceChanged:
			switch e.Action {
			case router.SilenceDropped:
			case router.SilenceMerged:
				heard = append(heard, e.Silence)
			default:
				silences = append(silences, e.Silence)
			}
		case router.LogChanged:
			switch {
			case e.Deleted:
			case e.Merged:
				merged = append(merged, e.Entry)
			default:
				told = append(told, e.Entry)
			}
		}
	}
	mesh.SilencesChanged(silences, false)
	mesh.SilencesChanged(heard, true)
	mesh.LogChanged(told, false)
	mesh.LogChanged(merged, true)
}

// logSilences is --log.silences.
func (d *daemon) logSilences(effects []router.Effect) {
	if !*d.flags.logSilences {
		return
	}
	for _, e := range effects {
		if e, ok := e.(router.SilenceChanged); ok && e.Action != router.SilenceDropped {
			d.log.zap.Info(string(e.Action)+" silence", zap.String("id", e.Silence.ID), zap.String("created_by", e.Silence.CreatedBy),
				zap.String("comment", e.Silence.Comment), zap.String("matchers", fmt.Sprint(e.Silence.Matchers)),
				zap.Time("starts_at", e.Silence.StartsAt), zap.Time("ends_at", e.Silence.EndsAt))
		}
	}
}

// cluster is what the API says of the peers.
func (d *daemon) cluster() *api.Cluster {
	mesh := d.mesh.Load()
	if mesh == nil {
		return nil
	}
	name, status, peers := mesh.Status()
	c := &api.Cluster{Name: name, Status: status}
	for _, p := range peers {
		c.Peers = append(c.Peers, api.Peer{Name: p.Name, Address: p.Address})
	}
	return c
}

// inherit reads what an Alertmanager left in the storage path, so that whoever comes from it is silenced where it was and
// is not told again what was told. What it wrote long ago does no harm: the later word counts.
func (d *daemon) inherit() engine.Gossip {
	if *d.flags.demo {
		return engine.Gossip{}
	}
	silences, log, err := gossip.ReadFiles(*d.flags.storage)
	if err != nil {
		d.log.zap.Error("what Alertmanager left in the storage path could not all be read; what could is taken over, and the files are kept as *.unreadable", zap.Error(err))
		for _, name := range []string{"silences", "nflog"} {
			path := filepath.Join(*d.flags.storage, name)
			_ = os.Rename(path, path+".unreadable") // one may not be there
		}
	}
	return engine.Gossip{Silences: silences, Log: log}
}

// bequeath writes Alertmanager's files every so often and at the end, so that whoever goes back to it forgets nothing.
func (d *daemon) bequeath(ctx context.Context) {
	if *d.flags.demo {
		return
	}
	every := time.NewTicker(max(*d.flags.maintenance, time.Second))
	defer every.Stop()
	for {
		select {
		case <-every.C:
			d.writeFiles()
		case <-ctx.Done():
			return
		}
	}
}

func (d *daemon) writeFiles() {
	if *d.flags.demo {
		return
	}
	rt, began := d.engine.Router(), time.Now()
	err := gossip.WriteFiles(*d.flags.storage, rt.Silences(), rt.LogEntries())
	d.kept.wrote(*d.flags.storage, time.Since(began), err)
	if err != nil {
		d.log.zap.Warn("Alertmanager's files silences and nflog could not be written; midwatch does not need them, only the way back to Alertmanager does", zap.Error(err))
	}
}
