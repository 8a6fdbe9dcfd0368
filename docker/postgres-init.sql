-- Run once, when PostgreSQL makes its data directory. The database `prefect` is made by the image itself.
CREATE DATABASE mlflow;
