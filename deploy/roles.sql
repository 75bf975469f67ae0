-- A role for the daemon with the least rights that work. What it may do and
-- what REPLICATION means: roles.md.
--
-- Run it by hand after `tidemark setup`, as a superuser (PostgreSQL 16 and
-- newer: or as a role with CREATEROLE and REPLICATION that may also grant on
-- the tables), once for each stream table:
--
--   psql -d app -f roles.sql
--   psql -d app -v table=orders -v id_column=nr -v instance_column= -f roles.sql
--
-- It may be run again at any time. The password is yours to set, where no log
-- and no history keeps it:  psql -d app -c '\password tidemark'
--
-- Variables, each given with -v name=value:
--   role             the role                                    tidemark
--   schema, table    the stream table                            public, events
--   id_column        its column of ids                           id
--   instance_column  its column of writers, empty: there is none instance_name
--   sequence         where the ids come from, as SQL writes it   the one that id_column owns
--   published_schema, published_table
--                    where published positions are kept, empty:  public,
--                    nowhere (temporary slots)                   tidemark_positions
--   positions_schema, positions_table
--                    announced streams only: where writers       public, none
--                    announce their positions
--   stats            true: see since when other roles' sessions  false
--                    hold a position back (pg_read_all_stats)

\set ON_ERROR_STOP on

\if :{?role}
\else
  \set role tidemark
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
\if :{?positions_schema}
\else
  \set positions_schema public
\endif
\if :{?positions_table}
\else
  \set positions_table ''
\endif
\if :{?stats}
\else
  \set stats false
\endif
\if :{?sequence}
\else
  SELECT pg_catalog.pg_get_serial_sequence(pg_catalog.format('%I.%I', :'schema', :'table'), :'id_column') AS sequence \gset
\endif
\if :{?sequence}
\else
  DO $$ BEGIN RAISE EXCEPTION 'the id column owns no sequence: name the one it draws from with -v sequence=public.NAME'; END $$;
\endif
SELECT :'instance_column' <> '' AS has_instance, :'published_table' <> '' AS has_published, :'positions_table' <> '' AS has_positions \gset

BEGIN;

-- LOGIN and REPLICATION: it reads a logical slot, and makes it anew where it
-- was lost.
SELECT pg_catalog.format('CREATE ROLE %I', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN REPLICATION;

GRANT CONNECT ON DATABASE :"DBNAME" TO :"role";
GRANT USAGE ON SCHEMA :"schema" TO :"role";

-- Of a stream table the ids and their writers, and nothing else.
\if :has_instance
GRANT SELECT (:"id_column", :"instance_column") ON TABLE :"schema".:"table" TO :"role";
\else
GRANT SELECT (:"id_column") ON TABLE :"schema".:"table" TO :"role";
\endif

-- The sequence's last value. SELECT reads it; it takes USAGE or UPDATE to draw
-- from a sequence or to set it.
GRANT SELECT ON SEQUENCE :sequence TO :"role";

-- Its own table, which setup made. No DELETE: a position never goes away.
\if :has_published
GRANT USAGE ON SCHEMA :"published_schema" TO :"role";
GRANT SELECT, INSERT, UPDATE ON TABLE :"published_schema".:"published_table" TO :"role";
\endif

-- What the writers of announced streams have announced. They write it.
\if :has_positions
GRANT USAGE ON SCHEMA :"positions_schema" TO :"role";
GRANT SELECT ON TABLE :"positions_schema".:"positions_table" TO :"role";
\endif

-- Without it held_by tells pid, user and application_name of who holds a
-- position back, and neither state nor since. With it the role also sees the
-- text of other roles' queries.
\if :stats
GRANT pg_read_all_stats TO :"role";
\endif

COMMIT;
