"""Words in the names of columns: ends of edges, nodes and attributes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DESTINATIONS = ("dst", "dest", "destination", "target", "tgt")
#: Words for a source, and the words that its destination may have.
PARTNERS = {
    "src": _DESTINATIONS,
    "source": _DESTINATIONS,
    "origin": _DESTINATIONS,
    "orig": _DESTINATIONS,
    "from": ("to",),
    "u": ("v",),
    "s": ("t",),
    "row": ("col", "column"),
    "head": ("tail",),
    "start": ("end",),
    "starting": ("ending",),
    "begin": ("end",),
    "subject": ("object",),
    "sender": ("receiver", "recipient"),
    "citing": ("cited",),
    "caller": ("callee",),
    "parent": ("child",),
    "follower": ("followee", "followed", "following"),
    "predecessor": ("successor",),
    "ancestor": ("descendant",),
    "node 0": ("node 1",),
    "node 1": ("node 2",),
}
SOURCES = frozenset(PARTNERS)
DESTINATIONS = frozenset(word for words in PARTNERS.values() for word in words)
#: Words for ends whose direction differs from one format to another.
UNCLEAR = frozenset({"in", "out", "input", "output", "incoming", "outgoing", "inbound", "outbound"})

_ID = frozenset({"id", "idx", "index", "indice"})
_NODE = frozenset({"node", "vertex", "vertice"})
_FILLERS = _ID | _NODE
_EDGE = frozenset({"edge", "link", "arc"})  # attributes, unless the name also has an end

#: Words for nodes. Two columns that have no other words are used in their order.
_NODES = _words(
    "user item neighbor neighbour nbr friend person actor member author coauthor editor reviewer"
    " paper article document doc patent book product movie film song track artist customer client"
    " merchant seller buyer vendor supplier account address wallet gene protein drug disease"
    " compound molecule atom cell neuron species entity concept word term page site url host ip"
    " router server device station stop airport city country place venue poi location junction"
    " intersection student teacher course school company organization team player patient doctor"
    " developer repo repository package function file post tweet question answer query agent"
    " subreddit channel video image object subject property ingredient recipe"
) - DESTINATIONS - SOURCES  # fmt: skip

#: Words for attributes. A column whose name contains one is not an end unless requested.
ATTRIBUTES = _words(
    "time timestamp datetime date weight label unnamed eid w wt ts unix epoch year month week day"
    " hour minute second class split type kind sign rel relation relationship predicate count cnt"
    " num number no score value val rating rank line degree age size length len duration distance"
    " dist price amount flag group component status state level community cluster category cat"
    " capacity cost flow speed feature feat attribute attr name title text color colour lat lon"
    " lng latitude longitude position pos port byte packet protocol valid train test mask fold"
    " partition prob probability confidence similarity sim strength frequency freq percent ratio"
    " version hash depth width height layer importance centrality pagerank"
    " latency bandwidth coord coordinate salary population temperature pressure volume area"
)
#: Words for numbers.
ORDINALS = {"first": "1", "second": "2", "one": "1", "two": "2"}
_NO_HEADER = _words(
    "the of is and are this that with for by list graph network file data dataset set format"
    " comment comments directed undirected weighted unweighted edges below"
    " above one per each see note an all"
)

_WORDS = (
    {word for word in SOURCES | DESTINATIONS | ATTRIBUTES if len(word) > 1}
    | UNCLEAR | _FILLERS | _EDGE | _NODES | set(ORDINALS)
)  # fmt: skip
_LONGEST_NAME = 64
_PARTS = re.compile(r"[A-Z]+s?(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_LETTER = re.compile(r"(node|vertex|id)?([a-z])(node|vertex|ids?|idx|index)*")


class Name(NamedTuple):
    """Meaning of the name of a column.

    Attributes:
        words (tuple): Its words in lower case and singular, without ``node`` and ``id``.
        end (str): The word for an end of an edge, if there is exactly one, else empty.
        contradictory (bool): Whether there are several words for ends, or unclear ones.
        attribute (bool): Whether it is the name of something other than a node.
        node (bool): Whether it is the name of a node.
    """

    words: tuple[str, ...]
    end: str
    contradictory: bool
    attribute: bool
    node: bool

    @property
    def plain(self) -> bool:
        """Whether it contains nothing but the word for an end."""
        return self.end.startswith("node ") or self.words == (self.end,)

    @property
    def understood(self) -> bool:
        """Whether it may be the name of a column rather than a word of a sentence."""
        short = all(len(word) == 1 or word.isdecimal() for word in self.words)
        return self.tells or self.node or short or set(self.words) <= set(ORDINALS)

    @property
    def tells(self) -> bool:
        """Whether it is the name of an end or of an attribute."""
        return bool(self.end) or self.contradictory or self.attribute


@lru_cache(maxsize=256)
def read_name(name: str) -> Name:
    """Splits a name at separators, capitals and digits, and between known words."""
    if len(name) > _LONGEST_NAME:
        return Name((name,), "", contradictory=False, attribute=False, node=False)
    parts = [part.lower() for part in _PARTS.findall(name)]
    found = [word for part in parts for word in _known_words(part)]
    words = [word for word in found if word not in _FILLERS]
    ends = [word for word in words if word in SOURCES or word in DESTINATIONS]
    if ends and len(words) > 1:
        words = [word for word in words if word not in _EDGE]
    numbered = len(words) == 1 and words[0].isdecimal() and len(found) > 1
    if numbered and f"node {int(words[0])}" in SOURCES | DESTINATIONS:
        ends = [f"node {int(words[0])}"]
    others = set(words) - set(ends)
    if parts == ["second"]:  # the partner of "first": columns of times have longer names
        attribute = False
    else:
        attribute = bool(others & (ATTRIBUTES | _EDGE)) or set(found) <= _ID
    nodes = all(word in _NODES or word.isdecimal() for word in words)
    return Name(
        tuple(words),
        ends[0] if len(ends) == 1 else "",
        contradictory=len(ends) > 1 or bool(others & UNCLEAR),
        attribute=attribute,
        node=not ends and not attribute and (nodes or bool(set(found) & _ID)),
    )


def is_prose(words: list[str]) -> bool:
    """Whether words belong to a sentence rather than to names of columns."""
    return any(
        word.lower() in _NO_HEADER or word.endswith((":", ".", "!", "?", ")")) or "//" in word
        for word in words
    )


def _known_words(part: str) -> list[str]:
    """Splits a part of a name into known words; returns the part itself if it cannot be split."""
    best: dict[int, list[str]] = {0: []}  # words up to a position, the fewest
    for stop in range(1, len(part) + 1):
        for start in range(stop):
            word = _singular(part[start:stop])
            if start in best and word in _WORDS:
                longer = [*best[start], word]
                if stop not in best or len(longer) < len(best[stop]):
                    best[stop] = longer
    if len(part) in best:
        return best[len(part)]
    match = _LETTER.fullmatch(part)
    if match is not None and len(part) > 1:
        return [match[2], "id" if part.rstrip("s").endswith(("id", "idx", "index")) else "node"]
    return [part]


def _singular(word: str) -> str:
    shorter = word.removesuffix("s")
    return shorter if word not in _WORDS and len(shorter) > 1 and shorter in _WORDS else word
