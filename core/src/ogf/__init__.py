"""OffGridFlow: what every cloud reports of your carbon, in one DuckDB table.

Plugin authors need four light modules: ``ogf.hookspecs`` (the contract), ``ogf.config`` (settings),
``ogf.errors`` and ``ogf.files`` (object stores and file readers).
"""

__version__ = "0.1.0"
