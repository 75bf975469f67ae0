package pgcluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

// initdb takes a second of processor time, a copy of what it made a fraction of
// that. So the first cluster of its kind leaves a template in the cache, where
// there is one, and the others begin as copies of it, each with a system
// identifier of its own: two clusters are two systems.

// copyTemplate makes the data directory as a copy.
func (c *Cluster) copyTemplate(ctx context.Context, template string, args []string) error {
	if _, err := os.Stat(template); err != nil {
		if err := c.makeTemplate(ctx, template, args); err != nil {
			return err
		}
	}
	if err := c.copyTree(template, "", nothingLeftOut); err != nil {
		return fmt.Errorf("copy template: %w", err)
	}
	return c.becomeAnotherSystem()
}

// template is where the one for these arguments lies; "" without a cache.
func (c *Cluster) template(args []string) string {
	cache := cacheDir()
	if cache == "" {
		return ""
	}
	if info, err := os.Stat(cache); err != nil || !info.IsDir() {
		return ""
	}
	kind := sha256.Sum256([]byte(strings.Join(append([]string{c.binaries.Dir, c.binaries.Version}, args...), "\x00")))
	return filepath.Join(cache, "templates", hex.EncodeToString(kind[:8]))
}

// makeTemplate has initdb make a data directory in this cluster's own place and
// moves a copy of it into the cache. Whoever is second keeps the first one's.
func (c *Cluster) makeTemplate(ctx context.Context, template string, args []string) error {
	scratch, err := os.MkdirTemp(c.dir, "template-*")
	if err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	defer os.RemoveAll(scratch)
	if err := c.account.own(scratch); err != nil {
		return err
	}
	if err := c.initdb(ctx, scratch, args); err != nil {
		return err
	}
	parent := filepath.Dir(template)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	half, err := os.MkdirTemp(parent, "half-*")
	if err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	defer os.RemoveAll(half)
	if err := os.CopyFS(half, os.DirFS(scratch)); err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	if err := os.Rename(half, template); err != nil {
		if _, there := os.Stat(template); there != nil {
			return fmt.Errorf("make template: %w", err)
		}
	}
	return nil
}

// becomeAnotherSystem gives the data directory, whose server has never run, a
// random system identifier: in its control file, and in the header of each
// segment of the WAL.
func (c *Cluster) becomeAnotherSystem() error {
	var system [8]byte
	_, _ = rand.Read(system[:]) // it never fails: crypto/rand ends the program instead
	system[7] &= 0x7f           // shown as a signed number by some programs
	name := filepath.Join(c.DataDir(), "global", "pg_control")
	control, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("change the system identifier: %w", err)
	}
	was := bytes.Clone(control[:8])
	if err := setSystem(control, system); err != nil {
		return fmt.Errorf("change the system identifier in %s: %w", name, err)
	}
	if err := os.WriteFile(name, control, 0o600); err != nil {
		return fmt.Errorf("change the system identifier: %w", err)
	}
	segments, err := filepath.Glob(filepath.Join(c.DataDir(), "pg_wal", strings.Repeat("?", 24)))
	for _, segment := range segments {
		err = errors.Join(err, setSegmentSystem(segment, was, system))
	}
	return err
}

// setSystem puts the identifier in front of a control file's data, and mends the
// checksum (CRC-32C) that ends them: where that is differs between versions
// (ControlFileData in PostgreSQL's pg_control.h).
func setSystem(control []byte, system [8]byte) error {
	table := crc32.MakeTable(crc32.Castagnoli)
	for at := 8; at+4 <= min(len(control), 512); at += 4 {
		if binary.NativeEndian.Uint32(control[at:]) == crc32.Checksum(control[:at], table) {
			copy(control, system[:])
			binary.NativeEndian.PutUint32(control[at:], crc32.Checksum(control[:at], table))
			return nil
		}
	}
	return errors.New("its checksum was not found")
}

// systemInSegment is where a segment's first page tells the identifier
// (XLogLongPageHeaderData in PostgreSQL's xlog_internal.h).
const systemInSegment = 24

func setSegmentSystem(segment string, was []byte, system [8]byte) error {
	f, err := os.OpenFile(segment, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("change the system identifier: %w", err)
	}
	defer f.Close()
	var there [8]byte
	if _, err := f.ReadAt(there[:], systemInSegment); err != nil || !bytes.Equal(there[:], was) {
		return err // a segment that has not been written yet
	}
	if _, err := f.WriteAt(system[:], systemInSegment); err != nil {
		return fmt.Errorf("change the system identifier: %w", err)
	}
	return nil
}
