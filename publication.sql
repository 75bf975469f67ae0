-- What `tidemark setup` makes, for a stream of this schema:
--
--   CREATE TABLE public.events (
--     id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
--     instance_name text,
--     payload       jsonb
--   );
--
-- Run it by hand, as the tables' owner, with CREATE on the database and the
-- right to replicate:
--
--   psql -d app -f publication.sql
--   psql -d app -v publication=mine -v slot=mine -v table=orders -f publication.sql
--
-- Unlike setup it does not look at what is there: run it once. For any other
-- configuration, `tidemark setup --print` shows the SQL.

\set ON_ERROR_STOP on

-- The variables, and what they are unless -v says otherwise.
\if :{?publication}
\else
  \set publication tidemark
\endif
\if :{?slot}
\else
  \set slot tidemark
\endif
\if :{?schema}
\else
  \set schema public
\endif
\if :{?table}
\else
  \set table events
\endif
\if :{?id_column}
\else
  \set id_column id
\endif
\if :{?instance_column}
\else
  \set instance_column instance_name
\endif
\if :{?published_schema}
\else
  \set published_schema public
\endif
\if :{?published_table}
\else
  \set published_table tidemark_positions
\endif

BEGIN;

-- Rather fail than queue behind a long transaction, with writers queueing
-- behind us.
SET LOCAL lock_timeout = '10s';

-- Where the daemon keeps the positions it has published, for itself after a
-- restart and for readers in SQL.
CREATE TABLE :"published_schema".:"published_table" (
  stream text PRIMARY KEY,
  position bigint NOT NULL,
  epoch text NOT NULL,
  lsn pg_lsn NOT NULL,
  moved_at timestamptz NOT NULL,
  sequence_oid oid,
  sequence_filenode oid,
  system_identifier text,
  timeline integer,
  nonce text,
  closed boolean
) WITH (fillfactor = 50);
COMMENT ON TABLE :"published_schema".:"published_table" IS 'Positions published by Tidemark, one row a stream. Made by tidemark setup, dropped by tidemark teardown.';
COMMENT ON COLUMN :"published_schema".:"published_table".stream IS 'Name of the stream.';
COMMENT ON COLUMN :"published_schema".:"published_table".position IS 'Every row of the stream with an id up to here that will ever exist is committed and visible. Negative where ids descend.';
COMMENT ON COLUMN :"published_schema".:"published_table".epoch IS 'The history in which the position is true. Positions of different epochs do not compare.';
COMMENT ON COLUMN :"published_schema".:"published_table".lsn IS 'WAL up to which the position was computed: a standby that has replayed it shows every row up to the position.';
COMMENT ON COLUMN :"published_schema".:"published_table".moved_at IS 'When the position last moved.';
COMMENT ON COLUMN :"published_schema".:"published_table".sequence_oid IS 'The sequence the ids came from. Another one now: the position is void.';
COMMENT ON COLUMN :"published_schema".:"published_table".sequence_filenode IS 'The file of the sequence, which TRUNCATE with RESTART IDENTITY changes. Another one now: the position is void.';
COMMENT ON COLUMN :"published_schema".:"published_table".system_identifier IS 'The database system on which the position was published. Another one now: the position is void.';
COMMENT ON COLUMN :"published_schema".:"published_table".timeline IS 'The timeline on which the position was published.';
COMMENT ON COLUMN :"published_schema".:"published_table".nonce IS 'Random text of that timeline, a part of the epoch: tells apart two servers that were promoted from one place.';
COMMENT ON COLUMN :"published_schema".:"published_table".closed IS 'True after an orderly stop: nothing was published beyond the position. After a crash it is up to 100 ms of moves behind.';

-- Inserts only, and only the columns that Tidemark reads: neither updates nor
-- wide columns travel. A column list pins the types of its columns. To change
-- one, in one transaction: ALTER PUBLICATION ... SET TABLE without the list,
-- ALTER TABLE ... ALTER COLUMN ... TYPE, then SET TABLE with the list again.
CREATE PUBLICATION :"publication" FOR TABLE :"schema".:"table" (:"id_column", :"instance_column") WITH (publish = 'insert');

-- Announced streams only, with -v positions_table=stream_positions (and
-- -v positions_schema=... where it is not public): the table in which each
-- writer announces its position.
\if :{?positions_table}
  \if :{?positions_schema}
  \else
    \set positions_schema public
  \endif
  \set positions_index :positions_table _pkey
  \set positions_publication :publication _positions

CREATE TABLE :"positions_schema".:"positions_table" (
  stream_name text NOT NULL,
  instance_name text NOT NULL,
  stream_id bigint NOT NULL,
  CONSTRAINT :"positions_index" PRIMARY KEY (stream_name, instance_name)
) WITH (fillfactor = 50);
COMMENT ON TABLE :"positions_schema".:"positions_table" IS 'Positions announced by the writers of streams, one row a writer and stream. Made by tidemark setup, dropped by tidemark teardown.';

-- Before it is published: a table whose updates are published needs a replica
-- identity, or the updates of its own users fail.
ALTER TABLE :"positions_schema".:"positions_table" REPLICA IDENTITY USING INDEX :"positions_index";
CREATE PUBLICATION :"positions_publication" FOR TABLE :"positions_schema".:"positions_table" WITH (publish = 'insert, update, delete');
\endif

COMMIT;

-- Last and by itself: it cannot follow a write in its transaction, and waits
-- until every transaction that is writing now has ended.
SELECT pg_catalog.pg_create_logical_replication_slot(:'slot', 'pgoutput', false, false);
