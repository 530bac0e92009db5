"""Cost Management exports on Blob storage or in a folder, of whatever type.

`manifests.py` reads a run's manifest, `discovery.py` finds runs and makes partitions of them, `rows.py` checks that
a run's files hold as many rows as its manifest says.
"""
