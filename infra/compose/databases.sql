-- Beside the database of facts: one for each service that keeps its own.
CREATE DATABASE airflow;
CREATE DATABASE mlflow;
