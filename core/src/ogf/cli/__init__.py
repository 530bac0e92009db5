"""The command line: one small module for each command, found by name in `main`.

stdout is data, stderr is narration. Commands import what is heavy inside their functions, so that `ogf --help`
loads no DuckDB and no SDK.
"""
