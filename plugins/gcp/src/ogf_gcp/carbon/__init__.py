"""The stream `carbon`: Google's Carbon Footprint export, from its BigQuery table or from exported files.

`table.py` lists the table's months, `columns.csv` and `activities.sql` say what becomes of a row.
"""
