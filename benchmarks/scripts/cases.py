"""The scripts by name."""

from __future__ import annotations

from functools import partial

from torch_geometric.nn import GATv2Conv

from benchmarks.scripts import hetero, links, molecules, ogb, planetoid, ppi
from benchmarks.scripts.script import Case

_CORA, _CITESEER = (partial(planetoid.data, name=name) for name in ("cora", "citeseer"))
_GATV2 = partial(planetoid.script, conv=GATv2Conv)

CASES = {
    "gat-cora": Case(_CORA, planetoid.script, calls=3, scored=True),
    "gat-citeseer": Case(_CITESEER, planetoid.script, calls=3, scored=True),
    "gatv2-cora": Case(_CORA, _GATV2, calls=3, scored=True),
    "gatv2-citeseer": Case(_CITESEER, _GATV2, calls=3, scored=True),
    "ogb": Case(ogb.data, ogb.script, rounds=8, gate=0.1),
    "ppi": Case(ppi.data, ppi.script, rounds=8, gate=0.1),
    "hetero-conv": Case(hetero.data, hetero.hetero_conv),
    "to-hetero": Case(hetero.data, hetero.transformed),
    "molecules": Case(molecules.data, molecules.script),
    "links-cora": Case(_CORA, links.script, calls=3),
}
