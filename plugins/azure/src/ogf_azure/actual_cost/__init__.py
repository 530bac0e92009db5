"""The stream `actual_cost`: cost details of Enterprise Agreement, Customer Agreement and pay-as-you-go, as exported.

`columns.csv` lists what is read and how the dialects spell it, `activities.sql` says what becomes of a row.
"""
