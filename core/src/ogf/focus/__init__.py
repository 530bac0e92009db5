"""FOCUS cost and usage data of any provider, read once for all: plugins call `activities_sql`, none writes its own.

`columns.csv` lists what is read and how versions 1.0 to 1.3 and the providers' dialects spell it; `activities.sql`
says what becomes of it; `mapping.py` fills in the two.
"""

from ogf.focus.mapping import activities_sql, columns_read, months_sql, version_of

__all__ = ["activities_sql", "columns_read", "months_sql", "version_of"]
