#!/bin/sh
# Runs once, when the data folder is empty: the node's role and its database. The role is no
# superuser, so a flaw in the node cannot run programs or read files in this container.
set -eu
: "${POSTGRES_USER:?}"
SECRETS=${PARKTWIN_SECRETS:-/run/parktwin}
test -s "$SECRETS/postgres-password"

# psql reads the password itself: it appears on no command line.
export SECRETS
psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat "$SECRETS/postgres-password"`
CREATE ROLE parktwin LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE parktwin OWNER parktwin;
REVOKE ALL ON DATABASE parktwin FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
SQL
