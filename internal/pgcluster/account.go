package pgcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is whom the server's programs run as: PostgreSQL refuses root.
// A nil account means whoever runs this process.
type account struct {
	name     string
	uid, gid uint32
}

// unprivileged returns nil for an ordinary user and nobody's account for root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("find a user to run PostgreSQL as, because it refuses root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the uid of nobody: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the gid of nobody: %w", err)
	}
	return &account{name: u.Username, uid: uint32(uid), gid: uint32(gid)}, nil
}

// own gives a file or directory to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, a.name, err)
	}
	return nil
}

// attributes of a process that runs as this account, in a session of its own:
// an interrupt at the terminal is for us to handle, not for the server.
func (a *account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// explain adds to a refused start of a program which directory is closed to
// the account, where one is.
func (a *account) explain(program string, err error) error {
	if a == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	for dir := filepath.Dir(program); ; dir = filepath.Dir(dir) {
		if info, serr := os.Stat(dir); serr == nil && info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%w: PostgreSQL refuses root, and user %s may not enter %s: "+
				"keep the server's programs outside of it (set %s or %s)", err, a.name, dir, EnvBin, EnvCache)
		}
		if dir == filepath.Dir(dir) {
			return err
		}
	}
}
