"""Deliveries of reports and exports, in S3 or a local folder: what the streams `cur` and `focus` have in common.

`manifests` reads the three shapes of manifest, `discovery` finds them, or files without any, and makes partitions.
"""
