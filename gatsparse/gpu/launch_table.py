"""Layout and sizes of the launches of a pass: a rule, and a table of measured exceptions.

The table is ``launch_table.json``, by pass, heads, channels, dtype and architecture. It is read
once and is fixed in a release, because all four numbers of a :class:`Choice` can change the last
bits of results: V and K the order of the sums over the channels of a head, B and the number of
warps which edges share a maximum in the softmax, and which nodes are added first in the gradients
of parameters. So nothing is tuned at run time.

``python -m benchmarks.tune_gpu`` measures on a GPU and writes the table. It has no entries yet:
nothing has been measured.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch

from gatsparse.gpu.lanes import Lanes, Sizes, groups, lanes, narrow, sizes, vectors

Pass = Literal["gat", "gat_backward", "gatv2", "gatv2_backward"]

PASSES: tuple[Pass, ...] = get_args(Pass)

PATH = Path(__file__).with_suffix(".json")


class Key(NamedTuple):
    """What an entry of the table is for.

    Args:
        name (str): Pass.
        H, C (int): Heads and channels.
        dtype (str): Dtype of the features, such as ``"float32"``.
        architecture (str): Such as ``"sm_90"`` or ``"gfx942"``, see :func:`architecture`.
    """

    name: Pass
    H: int
    C: int
    dtype: str
    architecture: str


class Choice(NamedTuple):
    """The free numbers of a launch.

    Args:
        V, K (int): Channels of a vector and lanes of a head, see
            :class:`gatsparse.gpu.lanes.Lanes`.
        B (int): Edges that a group has in flight.
        num_warps (int): Warps of a program.
    """

    V: int
    K: int
    B: int
    num_warps: int


def read(path: Path) -> dict[Key, Choice]:
    """Reads the entries of a table."""
    table = {}
    for row in json.loads(path.read_text()):
        *key, V, K, B, num_warps = row
        table[Key(*key)] = Choice(V, K, B, num_warps)
    return table


def write(path: Path, table: dict[Key, Choice]) -> None:
    """Writes a table, sorted, an entry per line."""
    rows = ",\n  ".join(json.dumps([*key, *table[key]]) for key in sorted(table))
    path.write_text(f"[\n  {rows}\n]\n" if rows else "[]\n")


#: The entries of the table, by which :func:`plan` decides.
TABLE = read(PATH)


@cache
def architecture(device: torch.device) -> str | None:
    """Architecture of a GPU, such as ``"sm_90"`` or ``"gfx942"``; None for other devices."""
    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    if torch.version.hip is not None:
        return properties.gcnArchName.split(":")[0]
    return f"sm_{properties.major}{properties.minor}"


def rule(name: Pass, H: int, C: int, HS: int, dtype: torch.dtype) -> tuple[Lanes, Sizes]:
    """Layout and sizes without the table."""
    layout = lanes(H, C, HS, dtype)
    if name == "gatv2_backward":  # holds five rows in registers
        layout = narrow(layout)
    return layout, sizes(layout)


def chosen(H: int, C: int, HS: int, choice: Choice) -> tuple[Lanes, Sizes]:
    """Layout and sizes of a choice."""
    layout = vectors(H, C, HS, choice.V, choice.K)
    return layout, Sizes(groups(layout, choice.num_warps), choice.B, choice.num_warps)


def plan(
    name: Pass, H: int, C: int, HS: int, dtype: torch.dtype, device: torch.device
) -> tuple[Lanes, Sizes]:
    """Layout and sizes of the launches of a pass, from the table or by the rule.

    Args:
        name (str): Pass.
        H, C (int): Heads and channels.
        HS (int): Heads of a row of ``alpha_src`` and similar tensors.
        dtype (torch.dtype): Dtype in which the features are stored.
        device (torch.device): Device of the features.
    """
    found = architecture(device)
    if found is not None:
        choice = TABLE.get(Key(name, H, C, str(dtype).removeprefix("torch."), found))
        if choice is not None:
            return chosen(H, C, HS, choice)
    return rule(name, H, C, HS, dtype)
