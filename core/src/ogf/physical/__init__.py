"""From what a bill counts to what ran: vCPU-hours, GiB-hours, GPU-hours, stored and transferred GiB.

`metered_sql` adds these columns to a mapping's rows. The knowledge is in the provider's two tables: what a meter
counts, and how large a machine type is. No carbon is computed here.
"""

from ogf.physical.metered import Catalogue, metered_sql

__all__ = ["Catalogue", "metered_sql"]
