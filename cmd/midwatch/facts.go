package main

import (
	"os"
	"path/filepath"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/escalation"
)

// facts is what the daemon knows of itself, for midwatch doctor.
func (d *daemon) facts() api.Daemon {
	cfg := d.current.Load().cfg
	f := api.Daemon{
		Version: version, StartedAt: d.started.UTC(), ExternalURL: d.external.String(), Policies: len(cfg.Policies), CatchAll: targetWords(cfg.Paging.CatchAll),
	}
	if !*d.flags.demo {
		if info, err := os.Stat(filepath.Join(*d.flags.storage, storeFile)); err == nil {
			f.Store.SizeBytes = int(info.Size())
		}
		if room, known := diskRoom(*d.flags.storage); known {
			f.Store.FreeBytes = int(room.free)
		}
	}
	if c := d.cluster(); c != nil {
		f.Cluster.Enabled, f.Cluster.Ready, f.Cluster.Wanted = true, c.Status == "ready", len(*d.flags.cluster.peers)
		for _, p := range c.Peers {
			f.Cluster.Peers = append(f.Cluster.Peers, p.Address)
		}
	}
	return f
}

// targetWords says whom a target means: "user ana"; empty: nobody.
func targetWords(t escalation.Target) string {
	switch {
	case t.User != "":
		return "user " + t.User
	case t.Schedule != "":
		return "schedule " + t.Schedule
	case t.Receiver != "":
		return "receiver " + t.Receiver
	}
	return ""
}
