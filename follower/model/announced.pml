/*
 * How a position comes about where writers draw their ids ahead and announce
 * how far they are: the positions table, how it is loaded, the slot, the gate.
 * make model runs it; transaction.pml says how to do it by hand.
 *
 * The promise: P covers no id that is open, or committed and not visible. As it
 * stands spin finds no way to break that. Each of the names below is a mistake;
 * with spin -a -DNAME it finds how P runs past an id:
 *
 *     UNREGISTERED    a writer draws before its row is in the table (RULES 15)
 *     OWN_AT_ONCE     a writer's tracker counts its own position at once (RULES 16)
 *     NO_ORDER        commits pass the gate in any order (RULES 16)
 *     NO_GATE         they count as soon as they are decoded (DESIGN fact 1)
 *     NO_HOLDERS      registrations under way are not asked for, nothing is capped (RULES 20)
 *     SLOT_LAST       positions are loaded before the slot begins (RULES 20)
 *     HOLDERS_LAST    the holders are read after the positions (RULES 20)
 *     DRAWN_LAST      L is read after the positions (RULES 20)
 *     DONE_ID         a position is taken for a done id (hole H2)
 *     LOADED_BY_LSN   whether a withdrawal is older than the positions that were
 *                     loaded is told by a WAL position read before them
 *     TORN            a withdrawal is applied after a load that has found it older
 *     NEVER_THERE     P is said never to reach the last id: the model does get there
 *
 * Left out: crashes (RULES 17), restarts under one name (RULES 18), epochs,
 * listed writers.
 */

#ifndef WRITERS
#define WRITERS 2     /* 2 or 3; the first is registered from the start */
#endif
#ifndef IDS
#define IDS 3         /* ids that are drawn, from 1 on */
#endif
#ifndef COMMITS
#define COMMITS 6     /* transactions that are committed, 8 at most */
#endif
#ifndef SESSIONS
#define SESSIONS 1    /* of the follower; each begins by skipping ahead and loading */
#endif
#ifndef LEAVES
#define LEAVES 0      /* how often a writer takes its row away */
#endif

#ifndef HANGING
#define HANGING 0     /* 1: at the start the second writer's registration is not visible yet */
#endif
#ifndef OWN
#define OWN 0         /* 1: the follower is the first writer's, and counts its position itself */
#endif

#define bit(i)   (1 << (i))
#define upto(p)  (bit((p) + 1) - 2) /* the ids 1 to p, a bit for each */
#define NONE     15                 /* no position */

/* ---- the server ---- */

byte seq;             /* the newest id that was drawn */

/* The WAL holds commits, each of one row of one table. All of it is on disk;
 * visible is another matter (DESIGN fact 1), and only then the client goes on. */
mtype = { stream_row, position, withdrawal };
mtype kind[COMMITS] = stream_row;
byte by[COMMITS], value[COMMITS];
byte end;             /* how many there are */
byte vis;             /* which of them are visible, a bit for each */
#define seen(c) ((vis & bit(c)) != 0)

/* ---- the writers ---- */

/* Those that end in ing wait for their commit to be visible. */
mtype = { away, registering, ready, drawn, writing, leaving };
mtype at[WRITERS] = away;
byte id[WRITERS];     /* its open id; 0: none */
byte had[WRITERS] = NONE;  /* last_value, read to register at it; NONE: not read */
byte told[WRITERS];   /* what it registered at or announced last */
bool telling[WRITERS];     /* that waits for its commit to be visible */
byte leaves = LEAVES;

/* ---- the follower ---- */

byte P;               /* the position */
byte done;            /* ids observed above P, a bit for each */
byte pos[WRITERS] = NONE;  /* what each has announced; NONE: not in the minimum */
byte cap = NONE;      /* the minimum counts only up to here */
byte gone[WRITERS];   /* the commit that withdrew it, plus 1 */

byte next;            /* the commit that the gate takes next */
byte ahead;           /* NO_ORDER: those beyond that it has taken */
byte torn = NONE;     /* TORN: a writer that has been withdrawn, which is not applied yet */

mtype = { slot, last_value, holders, insert_lsn, positions, apply, streaming };
mtype step = slot, again = slot; /* of the session's load; of the one after it */
byte sessions = SESSIONS;
bool started;
byte L, H;            /* last_value; who held the positions table: commits, a bit for each */
byte wal, table;      /* where the WAL stood, and then which commits the positions were read with */
byte loaded;          /* what was loaded last: the commits that it saw, a bit for each */

/* The first writer has a tracker: what of its own is to be counted, and when. */
byte own = NONE, ownAt;

byte w, c, least;     /* scratch */

#define nobody (pos[0] == NONE && pos[1] == NONE && pos[WRITERS - 1] == NONE)

/* publish ends every verb: the minimum over the writers, then runs of rows. */
inline publish() {
	least = cap; w = 0;
	do
	:: w < WRITERS -> least = (pos[w] < least -> pos[w] : least); w++
	:: else -> break
	od;
	P = (!nobody && least > P -> least : P);
	do
	:: (done & bit(P + 1)) != 0 -> P++
	:: else -> break
	od;
	done = done & ~upto(P);
	least = 0; w = 0;
	printf("position %d\n", P);
#ifdef NEVER_THERE
	assert(P < IDS || sessions > 1);
#endif
	do
	:: w < WRITERS -> assert(id[w] == 0 || id[w] > P); w++
	:: else -> break
	od;
	w = 0
}

/* ---- writers ---- */

inline commit(k, t, v) { kind[end] = k; by[end] = t; value[end] = v; end++ }

#ifdef UNREGISTERED
#define draws(t) (at[t] == ready || at[t] == away)
#else
#define draws(t) (at[t] == ready)
#endif

#define finished(t) (id[t] == 0 -> seq : id[t] - 1)

proctype writer(byte t) {
	do
	/* It registers: last_value in a statement of its own, then its row.
	 * "Every id of mine is greater." RULES 15. */
	:: d_step { at[t] == away && id[t] == 0 && had[t] == NONE -> had[t] = seq }
	:: d_step { at[t] == away && had[t] != NONE && end < COMMITS ->
		printf("writer %d commits its registration at %d\n", t, had[t]);
		commit(position, t, had[t]);
		at[t] = registering; told[t] = had[t]; had[t] = NONE }

	/* An id is drawn before the transaction that uses it begins. */
	:: d_step { draws(t) && id[t] == 0 && seq < IDS ->
		seq++; id[t] = seq;
		at[t] = (at[t] == ready -> drawn : at[t]);
		printf("writer %d draws %d\n", t, seq);
		assert(seq > P) }
	:: d_step { at[t] == drawn -> id[t] = 0; at[t] = ready; printf("writer %d fails\n", t) }
	:: d_step { at[t] == drawn && end < COMMITS ->
		commit(stream_row, t, id[t]); at[t] = writing;
		printf("writer %d commits row %d\n", t, id[t]) }

	/* It announces, beside: last_value, or below what it has open. (To commit
	 * what was read a while before would only claim less.) */
	:: d_step { (at[t] == ready || at[t] == drawn || at[t] == writing) && !telling[t] && end < COMMITS && finished(t) > told[t] ->
		told[t] = finished(t); telling[t] = true;
		commit(position, t, told[t]);
		printf("writer %d commits its position %d\n", t, told[t]) }

	:: d_step { at[t] == ready && !telling[t] && leaves > 0 && end < COMMITS ->
		leaves--; at[t] = leaving;
		commit(withdrawal, t, 0);
		printf("writer %d commits that it leaves\n", t) }
	od
}

/* Commit n becomes visible, and its client goes on. */
proctype visibility(byte n) {
	do
	:: d_step { n < end && !seen(n) ->
		vis = vis | bit(n);
		if
		:: kind[n] == stream_row -> id[by[n]] = 0; at[by[n]] = ready
		:: kind[n] == withdrawal -> at[by[n]] = away
		:: kind[n] == position && at[by[n]] == registering -> at[by[n]] = (id[by[n]] == 0 -> ready : drawn)
		:: else -> telling[by[n]] = false
		fi;
		printf("commit %d, of writer %d, is visible\n", n, by[n]) }
	od
}

/* ---- the slot and the gate ---- */

#ifdef NO_GATE
#define passes(n) (n == next)
#elif defined NO_ORDER
#define passes(n) (seen(n) && (ahead & bit(n)) == 0)
#else
#define passes(n) (seen(n) && n == next)
#endif

inline pass(n) {
	ahead = ahead | bit(n);
	do
	:: next < end && (ahead & bit(next)) != 0 -> ahead = ahead & ~bit(next); next++
	:: else -> break
	od
}

proctype gate(byte n) {
	do
	:: d_step { step == streaming && torn == NONE && n >= next && n < end && passes(n) ->
		printf("commit %d, of writer %d, passes the gate\n", n, by[n]);
		pass(n);
		if
		:: kind[n] == stream_row -> done = done | (bit(value[n]) & ~upto(P))
		:: kind[n] == position ->
			gone[by[n]] = 0;
			pos[by[n]] = (pos[by[n]] == NONE || pos[by[n]] < value[n] -> value[n] : pos[by[n]]);
#ifdef DONE_ID
			done = done | (bit(value[n]) & ~upto(P))
#endif
		:: kind[n] == withdrawal && (loaded & bit(n)) != 0 -> skip /* what was loaded is newer */
		:: else ->
			gone[by[n]] = n + 1;
#ifdef TORN
			torn = by[n]
#else
			pos[by[n]] = NONE
#endif
		fi;
		publish() }
	od
}

/* ---- the follower's session ---- */

/* What is read before the slot is, in which order. */
#ifdef LOADED_BY_LSN
#define TABLE insert_lsn
#else
#define TABLE positions
#endif
#ifdef SLOT_LAST
#define BEGIN           last_value
#define after_last      holders
#define after_holders   TABLE
#define after_positions slot
#define after_slot      apply
#elif defined HOLDERS_LAST
#define BEGIN           slot
#define after_slot      last_value
#define after_last      TABLE
#define after_positions holders
#define after_holders   apply
#elif defined DRAWN_LAST
#define BEGIN           slot
#define after_slot      holders
#define after_holders   TABLE
#define after_positions last_value
#define after_last      apply
#else
#define BEGIN           slot
#define after_slot      last_value
#define after_last      holders
#define after_holders   TABLE
#define after_positions apply
#endif

/* Which commits are older than what is loaded? Those that the reading saw. */
#ifdef LOADED_BY_LSN
#define loads (bit(wal) - 1)
#else
#define loads table
#endif

/* stored takes what the table held: who is not there is gone, on a session's
 * first load; later the slot knows of whatever was committed after. */
inline stored(isFirst) {
	w = 0;
	do
	:: w < WRITERS ->
		least = NONE; c = 0;
		do
		:: c < end ->
			least = ((table & bit(c)) == 0 || by[c] != w || kind[c] == stream_row -> least :
				(kind[c] == position -> value[c] : NONE));
			c++
		:: else -> break
		od;
		if
		:: least == NONE && isFirst -> pos[w] = NONE; gone[w] = 0
		:: least != NONE && (isFirst || gone[w] == 0 || (loads & bit(gone[w] - 1)) != 0) ->
			pos[w] = (pos[w] == NONE || pos[w] < least -> least : pos[w])
		:: else -> skip
		fi;
		w++
	:: else -> break
	od;
	w = 0; c = 0; least = 0;
	loaded = loads; wal = 0; table = 0
}

/* Rows that a query shows are done, whenever it is asked. */
inline observeVisible() {
	c = 0;
	do
	:: c < end ->
		done = (seen(c) && kind[c] == stream_row -> done | (bit(value[c]) & ~upto(P)) : done);
		c++
	:: else -> break
	od;
	c = 0
}

active proctype session() {
	started;
	step = BEGIN;
	do
	/* The slot begins behind all that is on disk. */
	:: d_step { step == slot ->
		next = end; ahead = 0; step = after_slot;
		printf("the slot begins at commit %d\n", next) }
	:: d_step { step == last_value ->
		L = seq; step = after_last;
		printf("load: last_value %d\n", L) }
	/* Who writes to the positions table holds its lock until it is visible. */
	:: d_step { step == holders ->
#ifndef NO_HOLDERS
		c = 0;
		do
		:: c < end -> H = (seen(c) || kind[c] == stream_row -> H : H | bit(c)); c++
		:: else -> break
		od;
		c = 0;
#endif
		step = after_holders;
		printf("load: holders %d (a bit each)\n", H) }
#ifdef LOADED_BY_LSN
	:: d_step { step == insert_lsn -> wal = end; step = positions }
#endif
	:: d_step { step == positions -> table = vis; step = after_positions; printf("load: positions\n") }
	:: d_step { step == apply ->
		cap = (H == 0 -> NONE : L);
		stored(true);
		/* Where nobody is registered nobody has an id open. */
		P = (nobody && H == 0 && L > P -> L : P);
		L = 0; step = streaming;
		observeVisible();
		publish() }

	/* Those who may have been registering have ended: load again, while the
	 * gate goes on. */
	:: d_step { step == streaming && H != 0 && again == slot && (vis & H) == H ->
#ifdef LOADED_BY_LSN
		wal = end;
#endif
		again = positions }
	:: d_step { again == positions -> table = vis; again = apply; printf("load: positions again\n") }
	:: d_step { again == apply ->
		stored(false);
		observeVisible();
		H = 0; cap = NONE; again = slot;
		publish() }

	/* The connection breaks; positions stay, they are still true. */
	:: d_step { step == streaming && sessions > 1 ->
		sessions--;
		H = 0; again = slot; torn = NONE; wal = 0; table = 0; own = NONE; ownAt = 0;
		step = BEGIN;
		printf("the session breaks\n") }
	od
}

#ifdef TORN
/* The gate's goroutine has noted a withdrawal, and only now tells the tracker. */
active proctype tearing() {
	do
	:: d_step { torn != NONE -> pos[torn] = NONE; torn = NONE; publish() }
	od
}
#endif

/* ---- the first writer's own tracker ---- */

/* Its own position counts before it comes back only once the gate has passed
 * what the WAL held after last_value was read. RULES 16. */
active proctype self() {
	started;
	do
	:: d_step { OWN && own == NONE && pos[0] != NONE && finished(0) > pos[0] && step == streaming ->
		own = finished(0); ownAt = end }
#ifdef OWN_AT_ONCE
	:: d_step { own != NONE && step == streaming ->
#else
	:: d_step { own != NONE && next >= ownAt && step == streaming ->
#endif
		pos[0] = (pos[0] != NONE && own > pos[0] -> own : pos[0]);
		printf("the first writer counts its own position %d\n", own);
		own = NONE; ownAt = 0;
		publish() }
	od
}

init {
	d_step {
		commit(position, 0, 0); vis = 1; at[0] = ready;
#if HANGING
		commit(position, 1, 0); at[1] = registering;
#endif
		skip
	}
	atomic {
		run writer(0); run writer(1);
#if WRITERS > 2
		run writer(2);
#endif
		c = 0;
		do
		:: c < COMMITS -> run visibility(c); run gate(c); c++
		:: else -> break
		od;
		c = 0; started = true
	}
}
