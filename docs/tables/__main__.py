"""Prints tables by name: ``python -m docs.tables headline``; without a name, all names."""

from __future__ import annotations

import sys

from docs.tables import TABLES

for name in sys.argv[1:]:
    print("\n".join(TABLES[name]()))
if len(sys.argv) == 1:
    print("\n".join(TABLES))
