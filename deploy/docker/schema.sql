-- The README's table, to try Tidemark with. Put your own here.
CREATE TABLE public.events (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  instance_name text,
  payload       jsonb
);
