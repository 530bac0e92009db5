"""The stream `cost_query`: costs by day from Cost Management's Query API, for those who have no export.

`request.py` lists scopes and months and asks for their pages, `budget.py` counts the query units, `mapping.py` and
`activities.sql` say what becomes of a row.
"""
