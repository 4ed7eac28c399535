#!/bin/sh
# Run once by the image `postgres`, as the superuser that no service is: for each service a role of
# its own, and a database that only its users may enter.
set -eu
psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v owner="$OWNER_PASSWORD" -v writer="$WRITER_PASSWORD" -v reader="$READER_PASSWORD" \
  -v airflow="$AIRFLOW_PASSWORD" -v mlflow="$MLFLOW_PASSWORD" <<'SQL'
CREATE ROLE finpulse_writer NOLOGIN;
CREATE ROLE finpulse_reader NOLOGIN;
CREATE ROLE owner LOGIN PASSWORD :'owner';
CREATE ROLE writer LOGIN PASSWORD :'writer' IN ROLE finpulse_writer;
CREATE ROLE reader LOGIN PASSWORD :'reader' IN ROLE finpulse_reader;
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE DATABASE finpulse OWNER owner;
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT ON DATABASE finpulse, airflow, mlflow FROM PUBLIC;
GRANT CONNECT ON DATABASE finpulse TO finpulse_writer, finpulse_reader;
SQL
