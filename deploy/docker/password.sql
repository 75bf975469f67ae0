-- The daemon's password, from the environment so that it stands in no file of
-- the image.
\getenv password TIDEMARK_PASSWORD
ALTER ROLE tidemark PASSWORD :'password';
