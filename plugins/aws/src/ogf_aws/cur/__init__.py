"""The stream `cur`: legacy Cost and Usage Reports and CUR 2.0 data exports, from S3 or a local folder.

`source` says what is read, `mapping` (with columns.csv and activities.sql) turns rows into activities.
"""
