"""The stream `carbon`: Azure's Carbon Optimization reports, by resource.

`request.py` lists months and scopes and asks for their pages, `mapping.py` and `activities.sql` say what becomes of
an item. Items carry neither month nor scope: both come from the request.
"""
