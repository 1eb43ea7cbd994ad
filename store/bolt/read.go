package bolt

import (
	"errors"
	"os"

	"go.etcd.io/bbolt"

	"github.com/midwatch/midwatch/store"
)

// Read has each item of the file at path, in order of key, be seen, and writes nothing: not to the file, and nothing beside it.
// It is for a backup, or for a store that no process has open. What see returns ends it and is returned.
//
//   - ErrInUse: another process has it
//   - *CorruptError: something cannot be read; what was seen until then was sound
//   - ErrNewer: a later version made it
func Read(path string, see func(store.Item) error) error {
	f, err := acquire(path, os.O_RDONLY, -1)
	if err != nil {
		return err
	}
	report, err := inspect(f, path, 1, quick)
	if err == nil && len(report.Problems) > 0 {
		err = &CorruptError{Path: path, Reason: report.Problems[0]}
	}
	if err != nil {
		f.Close()
		return err
	}
	return guarded(path, func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{
			OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
			ReadOnly: true,
		})
		if err != nil {
			f.Close()
			return openError(path, err)
		}
		err = db.View(func(tx *bbolt.Tx) error {
			for key, r := range walk(tx, "") {
				it, ok := item(key, r)
				if !ok {
					return (&Store{path: path}).damaged(key)
				}
				if err := see(it); err != nil {
					return err
				}
			}
			return nil
		})
		return errors.Join(err, db.Close())
	})
}
