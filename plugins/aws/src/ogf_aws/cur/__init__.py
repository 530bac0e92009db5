"""The stream `cur`: legacy Cost and Usage Reports and CUR 2.0 data exports, from S3 or a local folder.

`manifests` reads the three shapes of manifest, `discovery` finds them and makes partitions, `loose` does the same for
a folder without any, `mapping` (with columns.csv and activities.sql) turns rows into activities.
"""
