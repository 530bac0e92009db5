"""Files, wherever they lie: object stores, and readers that check what they read.

`store` lists and hands out files; `decode` undoes compression and checks it; `feed` pipes decoded bytes into
DuckDB; `table` is what a plugin's mapping reads from.
"""

from ogf.files.store import File, Listing, LocalStore, Object, ObjectStore, ask, walk
from ogf.files.table import Table

__all__ = ["File", "Listing", "LocalStore", "Object", "ObjectStore", "Table", "ask", "walk"]
