"""Carbon: what activities emitted, reported and estimated, as tables and views of the warehouse.

`data/` has the factors, each table with where it comes from; `methods/` how usage becomes carbon, one folder a method;
`sql/` the views; `install` puts all of it into a warehouse, `choice` keeps what the user chose with `ogf factors use`.
Estimates are arithmetic over small tables: another factor set needs no download.
"""
