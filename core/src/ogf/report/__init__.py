"""The report: tables of the carbon views, on the terminal, as files, and as one HTML page that needs nothing else.

`tables` asks the warehouse, `shown` makes what people read of the answers, `numbers` says with how many digits,
`charts` draws (a function from rows to an SVG text), `page` puts the page together, `reconcile` explains gaps.
Location-based and market-based figures are never added, nor are reported and estimated ones.
"""
