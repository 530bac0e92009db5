"""The DuckDB file.

`file` opens it, `migrate` makes and upgrades it (`migrations/`, `views.sql`), `ledger` has its small control tables
as SQLModel models, `facts` the statements that move rows, `answers` fetches small answers.
"""
