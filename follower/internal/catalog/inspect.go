package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// MinServerVersion is the oldest server that can be followed, as in
// server_version_num: column lists came with it.
const MinServerVersion = 150000

// facts is all that was read, before anything is judged.
type facts struct {
	server       server
	names        map[string]resolution
	nearTables   []string
	relations    map[uint32]*relation
	sequences    map[uint32]*sequence
	publications map[string]*publication
	indexes      []index
	slots        slots
}

// relation is what the SQL name stands for, nil where it stands for nothing.
func (f *facts) relation(name string) *relation { return f.relations[f.names[name].oid] }

// inspection judges the facts.
type inspection struct {
	spec  Spec
	facts *facts
	snap  *Snapshot
}

func (in *inspection) add(findings ...Finding) {
	for _, f := range findings {
		in.snap.Findings = append(in.snap.Findings, f.tidy())
	}
}

// Inspect asks the database about spec. The error says that the database could
// not be asked or refused to answer; unmet requirements are findings. conn must
// not be inside a transaction, and is in use until Inspect returns.
func Inspect(ctx context.Context, conn *pgx.Conn, spec Spec) (*Snapshot, error) {
	srv, err := readServer(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	f := &facts{server: srv}
	in := &inspection{spec: spec, facts: f, snap: newSnapshot(spec, srv)}
	if srv.Version < MinServerVersion {
		in.add(in.serverVersion())
		in.blameAll()
		return in.snap, nil
	}
	if err := f.read(ctx, conn, spec); err != nil {
		return nil, err
	}
	in.judge()
	return in.snap, nil
}

func newSnapshot(spec Spec, srv server) *Snapshot {
	snap := &Snapshot{
		DatabaseOID:   srv.DatabaseOID,
		Database:      srv.Database,
		Role:          srv.Role,
		ServerVersion: srv.Version,
	}
	for _, s := range spec.Streams {
		resolved := ResolvedStream{Stream: s}
		for _, t := range s.Tables {
			resolved.Tables = append(resolved.Tables, ResolvedTable{Table: t})
		}
		snap.Streams = append(snap.Streams, resolved)
	}
	return snap
}

// read asks for everything after the server's settings.
func (f *facts) read(ctx context.Context, conn *pgx.Conn, spec Spec) error {
	tables := spec.tableNames()
	var err error
	if f.names, err = resolveNames(ctx, conn, append(tables, spec.sequenceNames()...)); err != nil {
		return fmt.Errorf("resolve the configured names: %w", err)
	}
	if slices.ContainsFunc(tables, func(n string) bool { return f.names[n].oid == 0 }) {
		if f.nearTables, err = readTableNames(ctx, conn); err != nil {
			return fmt.Errorf("list the tables: %w", err)
		}
	}
	if err := f.readRelations(ctx, conn, spec); err != nil {
		return fmt.Errorf("read the catalog of the stream tables: %w", err)
	}
	if f.sequences, err = readSequences(ctx, conn, f.sequenceOIDs(spec)); err != nil {
		return fmt.Errorf("read the catalog of the sequences: %w", err)
	}
	if f.slots, err = readSlots(ctx, conn, spec.Slot.Name); err != nil {
		return fmt.Errorf("read the replication slots: %w", err)
	}
	return nil
}

// judge runs every check, in the order in which things are best mended.
func (in *inspection) judge() {
	in.checkServer()
	if in.spec.Slot.Kind != SlotNone {
		in.checkReplication()
		in.checkSlot()
	}
	for i := range in.snap.Streams {
		in.checkStream(&in.snap.Streams[i])
	}
	if in.spec.Slot.Kind != SlotNone {
		in.checkPublication() // of tables that are missing or unfit none can be made
	}
	if in.spec.announced() {
		in.checkPositions()
	}
	in.add(in.statsRole())
	in.snap.blame()
	in.snap.Published = in.publishedOIDs()
}

// blameAll gives every stream the first problem: nothing else was read.
func (in *inspection) blameAll() {
	for i := range in.snap.Streams {
		in.snap.Streams[i].Problem = in.snap.Problem()
	}
}

// tableNames lists the configured tables, the positions table among them.
func (s Spec) tableNames() []string {
	var names []string
	for _, stream := range s.Streams {
		for _, t := range stream.Tables {
			names = append(names, t.Name)
		}
	}
	if s.announced() {
		names = append(names, s.PositionsTable)
	}
	return names
}

func (s Spec) sequenceNames() []string {
	var names []string
	for _, stream := range s.Streams {
		if stream.Sequence != "" {
			names = append(names, stream.Sequence)
		}
	}
	return names
}
