"""The stream `carbon`: the Data Exports table CARBON_EMISSIONS, from S3 or a local folder.

`source` finds months and model versions, `mapping` (with columns.csv and activities.sql) turns rows into activities.
What the stream `carbon_api` is answered goes through the same activities.sql.
"""
