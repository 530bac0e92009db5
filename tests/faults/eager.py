"""`ogf`, but appending each segment as soon as it is there: small test data would never fill a batch."""

from ogf.cli.main import main
from ogf.runner import driver

driver._APPEND_BYTES = 1
main()
