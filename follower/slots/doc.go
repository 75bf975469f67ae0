// Package slots watches the logical replication slots of a server, and says of
// each in words whether it is well and, if not, why and what to do.
//
// A slot keeps every byte of WAL from its restart_lsn on, and the catalog's
// dead rows from its catalog_xmin on, until its consumer has confirmed them.
// One that nobody reads fills the disk, or, where max_slot_wal_keep_size is
// set, is given up by the server. Numbers alone do not tell why, so a [Slot]
// names who holds it back.
//
// # Parts
//
// [Inspect] asks a server once, with one statement, and returns a [Sample].
// [History] is given samples one after the other, with the time at which each
// was taken, and returns a [Report]: how fast WAL is written, and how long
// nothing has been confirmed, is known only from several of them. It is pure
// state: no clock, no goroutine, no connection. [Watcher] does both in a loop.
//
// # Verdicts
//
// The worst that is true, by the limits of [Thresholds]:
//
//   - lost: the server has given the slot up. It must be dropped and made anew.
//   - at_risk: it is about to be given up for max_slot_wal_keep_size.
//   - inactive: nobody is connected, for a while or with much WAL kept.
//   - stalled: a consumer is connected and WAL is written, but nothing is confirmed.
//   - lagging: far behind, or kept far behind by a transaction that stays open.
//   - ok.
//
// A slot whose consumer keeps up is not at risk for the rate of writing alone:
// what it needs moves on as fast as WAL is written.
//
// # Who holds a slot back
//
// HeldBy names, the most likely cause first: that there is no consumer (State
// [StateNoConsumer]); the consumer that is connected and confirms nothing, or
// lags (its backend, State [StateNotConfirming]); the oldest transactions that
// have written and are open still, prepared ones too: a slot's restart_lsn
// cannot pass the beginning of a transaction whose end it has not seen. One
// that waits in COMMIT for a synchronous standby which is missing has State
// [StateWaitsForStandby].
//
// # Rights
//
// Any role may call Inspect. State and age of other roles' backends, and the
// progress of other roles' walsenders, need pg_read_all_stats (a part of
// pg_monitor): what the role may not see, and what the server's version does
// not have, is nil. Physical slots are left out.
package slots
