/*
 * How a position comes about where ids are drawn inside the inserting
 * transaction: sequence, locks, WAL, visibility, crash; gate, fence, tracker.
 * make model runs it; by hand:
 *
 *     spin -a transaction.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * The promise: P covers no id that is open, or committed and not visible, or
 * that can still be handed out; P moves only up. Besides, no row is taken for a
 * late one. As it stands spin finds no way to break that. Each of the names
 * below is a mistake; with spin -a -DNAME it finds how that loses rows:
 *
 *     NO_GATE           rows count as soon as they are decoded (DESIGN fact 1)
 *     LOCKS_FIRST       holders are read before last_value (DESIGN fact 2)
 *     IGNORE_IS_CALLED  a fresh sequence says 1 with nothing drawn (fact 2)
 *     BY_PID            a holder is known by its pid, which PREPARE takes away (fact 2)
 *     KEEP_FENCES       fences outlive the session that made them (fact 2, RULES 3)
 *     NO_FLUSH          a done fence does not wait for the WAL's flush (fact 4)
 *     LSN_FIRST         it waits for a WAL position read before last_value (fact 4)
 *     ONE_SCAN          the sequence is read once (fence.scans)
 *     TWO_SCANS         the sequence is read twice, with a checkpoint between (fence.scans)
 *     ADVANCE           a row is taken to say that all lower ids are done (DESIGN)
 *     SEEN_AT_START     a late row is told by when the fence was made (RULES 8)
 *     NEVER_THERE       P is said never to reach the last id: the model does get there
 *
 * Left out: subtransactions (the lock is the top-level transaction's), other
 * streams, standbys, setval and DDL, page boundaries of the WAL.
 *
 * A limit that is known: three scans do not survive two checkpoints that begin
 * within the one statement (-DAHEAD=3 -DCHECKPOINTS=2 -DIDS=4).
 *
 * The numbers below bound the search. They are set from outside, so that not
 * everything has to happen in one run.
 */

#ifndef TXS
#define TXS 2         /* transactions: 2 or 3 */
#endif
#ifndef IDS
#define IDS 3         /* ids that are drawn, from 1 on */
#endif
#ifndef CRASHES
#define CRASHES 0     /* of the server */
#endif
#ifndef RESTARTS
#define RESTARTS 0    /* of the follower */
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 0
#endif
#ifndef PREPARES
#define PREPARES 0    /* transactions that are prepared */
#endif
#ifndef AHEAD
#define AHEAD 2       /* nextval logs so many values more than it draws; 32 in the server */
#endif

#ifdef ONE_SCAN
#define SCANS 1
#elif defined TWO_SCANS
#define SCANS 2
#else
#define SCANS 3
#endif

#define bit(i)   (1 << (i))
#define upto(p)  (bit((p) + 1) - 2) /* the ids 1 to p, a bit for each */

/* ---- the server ---- */

mtype = { idle, open, drawing, prepared, recorded, visible, ended };
mtype tx[TXS] = idle;
byte ids[TXS];        /* what each has drawn, a bit for each id */
byte vxid[TXS];       /* the name under which it holds the lock */
bool twoPhase[TXS];   /* it has been prepared */
byte held;            /* who holds the sequence's lock: a bit for each vxid */

byte seq;             /* the newest id that was drawn */
byte shown;           /* what the sequence's buffer says: seq, or for a moment more */
bool latch;           /* nextval has the buffer: no scan can begin */
bool forced;          /* a checkpoint began: the next nextval writes WAL */

/* The WAL, and what of it is on disk. Positions in it are not counted: the
 * model flushes all there is or nothing (what was flushed is then only what
 * could have been flushed a moment ago), so that "flushed up to there" means
 * "flushed since". */
byte logged, durable;   /* the sequence's value in its newest record */
byte commits, onDisk;   /* commit records, a bit for each transaction */
#define unflushed (logged != durable || commits != onDisk)

byte crashes = CRASHES, restarts = RESTARTS, checkpoints = CHECKPOINTS, prepares = PREPARES;

/* ---- the follower ---- */

byte P;               /* the position */
byte shownP;          /* what had been published when the follower restarted */
byte done;            /* ids observed above P, a bit for each */
byte passed;          /* transactions whose rows have been observed */

/* The probe under way: how many scans are left, what they said. */
mtype = { scan, locks, wal };
mtype step = scan;
byte scans = SCANS, last = 255, holders;
bool begun = true;    /* the buffer was free since the last scan: the next has begun, or can */
bool needs;           /* WAL that was there when the sequence was read is not on disk */

/* The standing fences, oldest first: ids ≤ upTo are settled when none of who
 * holds the lock still and the WAL of then is on disk. */
byte fences, upTo[2], who[2];
bool need[2];
byte seen[2];         /* the commit records that were there when it was found done */

byte due, dueSeen;    /* a fence that is to be published */

inline flush() {
	durable = logged; onDisk = commits;
	needs = false; need[0] = false; need[1] = false
}

inline anew() { step = scan; scans = SCANS; last = 255; holders = 0; needs = false; begun = !latch }
inline forget() {
	fences = 0; upTo[0] = 0; upTo[1] = 0; who[0] = 0; who[1] = 0;
	need[0] = false; need[1] = false; seen[0] = 0; seen[1] = 0
}

/* ---- the promise ---- */

/* Ids above before, up to known, were found settled when the commit records in
 * sees had been written. That nothing is handed out again is checked where that
 * would happen: see draw. */
inline promise(before, known, sees) {
	i = 0;
	do
	:: i < TXS ->
		assert(tx[i] == visible || tx[i] == ended || (ids[i] & upto(P)) == 0);
		/* RULES 8: a row that was there is not late when it is decoded. */
		assert((commits & bit(i)) == 0 || (ids[i] & upto(known) & ~upto(before)) == 0 || (sees & bit(i)) != 0);
		i++
	:: else -> break
	od;
	i = 0;
#if !defined NO_FLUSH && !defined LSN_FIRST /* those are to be caught when it happens */
	assert(P <= durable)
#endif
}

/* follow ends every verb: P goes on along runs without gaps. */
inline follow() {
	do
	:: (done & bit(P + 1)) != 0 -> P++
	:: else -> break
	od;
	done = done & ~upto(P);
#ifdef NEVER_THERE
	assert(P < IDS || crashes > 0 || restarts > 0 || prepares > 0);
#endif
	printf("position %d\n", P)
}

/* ---- writers ---- */

inline draw(t) {
	seq++;
	shown = seq;
	ids[t] = ids[t] | bit(seq);
	printf("transaction %d draws %d\n", t, seq);
	assert(seq > P) /* no id that P covers is handed out */
}

inline release(t) { held = held & ~bit(vxid[t]); vxid[t] = 0; twoPhase[t] = false; tx[t] = ended }

proctype writer(byte t) {
	do
	/* nextval first takes the lock, which stands until the transaction ends.
	 * They begin in the order of their numbers, which mean nothing else. */
	:: d_step { tx[t] == idle && (t == 0 || tx[t - 1] != idle) ->
		tx[t] = open; vxid[t] = t; held = held | bit(t);
		printf("transaction %d locks the sequence\n", t) }

	/* What the newest record covers costs no WAL. */
	:: d_step { tx[t] == open && seq < IDS && !latch && seq < logged && !forced -> draw(t) }

	/* Otherwise the value ahead stands in the buffer while it is logged. */
	:: d_step { tx[t] == open && seq < IDS && !latch && (seq >= logged || forced) ->
		latch = true; shown = seq + 1 + AHEAD; tx[t] = drawing;
		printf("the sequence says %d for a moment\n", shown) }
	:: d_step { tx[t] == drawing ->
		logged = shown; forced = false; latch = false; begun = true; tx[t] = open;
		draw(t) }

	/* Rolling back flushes nothing. */
	:: d_step { (tx[t] == open && ids[t] != 0) || tx[t] == prepared ->
		ids[t] = 0; release(t);
		printf("transaction %d rolls back\n", t) }

	:: d_step { tx[t] == open && ids[t] != 0 && prepares > 0 ->
		prepares--; tx[t] = prepared; twoPhase[t] = true;
		flush();
		printf("transaction %d is prepared\n", t) }

	/* Commit: the record; its flush, unless synchronous_commit is off; as long
	 * as the synchronous standby takes; visible; lock released. */
	:: d_step { (tx[t] == open && ids[t] != 0) || tx[t] == prepared ->
		commits = commits | bit(t); tx[t] = recorded;
		printf("transaction %d writes its commit record\n", t) }
	:: d_step { tx[t] == recorded && ((onDisk & bit(t)) != 0 || !twoPhase[t]) ->
		tx[t] = visible;
		printf("transaction %d is visible\n", t) }
	:: d_step { tx[t] == visible ->
		release(t);
		printf("transaction %d has released the lock\n", t) }
	od
}

/* ---- what befalls the server ---- */

/* What is not on disk is gone. What is prepared stays, and holds its lock under
 * another name; a commit on disk is visible, whether anybody was told or not. */
inline crash() {
	seq = durable; shown = seq; logged = seq; commits = onDisk;
	latch = false; forced = false; held = 0;
	i = 0;
	do
	:: i < TXS ->
		if
		:: tx[i] == idle -> skip
		:: (commits & bit(i)) == 0 && twoPhase[i] ->
			tx[i] = prepared; vxid[i] = TXS + i; held = held | bit(vxid[i])
		:: (commits & bit(i)) == 0 && !twoPhase[i] -> ids[i] = 0; release(i)
		:: else -> release(i)
		fi;
		i++
	:: else -> break
	od;
	held = held & ~(bit(TXS) - 1);
	i = 0
}

active proctype server() {
	byte i;
	do
	:: d_step { unflushed -> flush(); printf("the WAL is flushed\n") }
	:: d_step { checkpoints > 0 && !forced && seq > 0 && !latch ->
		checkpoints--; forced = true; printf("a checkpoint begins\n") }
	:: d_step { crashes > 0 ->
		crashes--; crash(); anew();
#ifndef KEEP_FENCES
		forget();
#endif
		printf("the server crashes: last_value %d\n", seq) }
	od
}

/* ---- the gate ---- */

/* A commit is sent when it is on disk, and passes the gate when a snapshot sees
 * it. Then its rows are done, and nothing is said of lower ids. */
#ifdef NO_GATE
#define passes(t) true
#else
#define passes(t) (tx[t] == visible || tx[t] == ended)
#endif

proctype gate(byte t) {
	byte i, before;
	do
	:: d_step { (passed & bit(t)) == 0 && (onDisk & bit(t)) != 0 && passes(t) ->
		passed = passed | bit(t);
		printf("the rows of transaction %d are observed\n", t);
		before = P;
#ifdef ADVANCE
		do
		:: (ids[t] & ~upto(P)) != 0 -> P++
		:: else -> break
		od;
#endif
		done = done | (ids[t] & ~upto(P));
		follow();
		promise(before, P, commits);
		before = 0 }
	od
}

/* ---- the fence ---- */

#ifdef BY_PID
#define nameless(t) (tx[t] == prepared -> bit(vxid[t]) : 0)
#define holdersNow  (held & ~(nameless(0) | nameless(1) | nameless(TXS - 1)))
#else
#define holdersNow  held
#endif
inline readLocks() { holders = holdersNow; printf("probe: holders %d (a bit each)\n", holders) }

/* The new fence stands behind the others, or in place of the second. */
inline add() {
	if
	:: last > P && (fences == 0 || last > upTo[fences - 1]) ->
		fences = (fences < 2 -> fences + 1 : 2);
		upTo[fences - 1] = last; who[fences - 1] = holders; need[fences - 1] = needs;
#ifdef SEEN_AT_START
		seen[fences - 1] = commits | bit(7)
#else
		seen[fences - 1] = 0
#endif
	:: else -> skip
	fi
}

/* A fence is done when all have ended who held the lock when it was made. */
inline finish(f) {
	if
	:: f < fences ->
		who[f] = who[f] & holders;
		seen[f] = (who[f] == 0 && seen[f] == 0 -> commits | bit(7) : seen[f])
	:: else -> skip
	fi
}

#ifdef NO_FLUSH
#define safe(f) true
#else
#define safe(f) (!need[f])
#endif

inline drop(f) {
	if
	:: f == 0 && fences == 2 ->
		upTo[0] = upTo[1]; who[0] = who[1]; need[0] = need[1]; seen[0] = seen[1];
		upTo[1] = 0; who[1] = 0; need[1] = false; seen[1] = 0; fences = 1
	:: else -> forget()
	fi
}

/* Takes fence f away, and the older with it, where it is done, or of no more use. */
inline take(f) {
	if
	:: f < fences && upTo[f] <= P -> drop(f)
	:: f < fences && upTo[f] > P && who[f] == 0 && safe(f) -> due = upTo[f]; dueSeen = seen[f]; drop(f)
	:: else -> skip
	fi
}

active proctype prober() {
	do
	/* The first statement: the lowest of several scans is L. A scan begins by
	 * locking the buffer, and reads the value later without that. */
	:: d_step { step == scan && due == 0 && (begun || !latch) ->
#ifdef LSN_FIRST
		needs = (scans == SCANS -> unflushed : needs);
#else
		needs = unflushed;
#endif
#ifdef LOCKS_FIRST
		if
		:: scans == SCANS -> readLocks()
		:: else -> skip
		fi;
#endif
		printf("probe: last_value %d\n", shown);
		last = (last < shown -> last : shown);
#ifdef IGNORE_IS_CALLED
		last = (last == 0 -> 1 : last);
#endif
		scans--; begun = !latch;
		step = (scans > 0 -> scan : locks) }
	/* The second. */
	:: d_step { step == locks ->
#ifndef LOCKS_FIRST
		readLocks();
#endif
		step = wal }
	/* The third: how far the WAL is written, and how far flushed. */
	:: d_step { step == wal ->
		add();
		finish(0); finish(1);
		take(1); take(0);
		anew() }
	od
}

/* What a probe has found out is published a moment later, crash or not. */
active proctype publisher() {
	byte i, before;
	do
	:: d_step { due > 0 ->
		printf("a fence is done: ids up to %d are settled\n", due);
		before = P;
		P = (due > P -> due : P);
		follow();
		promise(before, due, dueSeen);
		/* After a restart nobody sees P before its first fence is done. */
		assert(P >= shownP);
		shownP = 0; due = 0; dueSeen = 0; before = 0 }

	/* The follower starts anew and knows nothing. Rows may be sent again. */
	:: d_step { restarts > 0 && P > 0 ->
		restarts--;
		shownP = P; P = 0; done = 0; passed = 0; due = 0; dueSeen = 0;
		anew(); forget();
		printf("the follower restarts\n") }
	od
}

init {
	atomic {
		run writer(0); run writer(1); run gate(0); run gate(1);
#if TXS > 2
		run writer(2); run gate(2)
#endif
	}
}
