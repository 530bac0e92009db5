"""The stream `cost_explorer`: cost by usage type, for those who have no export. Each page costs money.

`source` lists months and asks for their pages, `grouping` says which second grouping fills which column, `mapping` and
`activities.sql` say what becomes of a group.
"""
