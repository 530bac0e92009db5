"""The stream `billing`: the standard and the detailed Cloud Billing export, from BigQuery or from exported files.

`table.py` lists the table's ingestion days, `columns.csv` and `activities.sql` say what becomes of a row.
"""
