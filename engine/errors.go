package engine

import "github.com/midwatch/midwatch/store"

// ErrNotFound says that there is no such incident.
var ErrNotFound = store.ErrNotFound
