//go:build !linux

package bolt

import (
	"errors"
	"os"
)

func fallocate(*os.File, int64, int64, bool) error { return errors.ErrUnsupported }

func freeRoom(string) (int64, error) { return 0, errors.ErrUnsupported }
