"""Seeded damage to files: bytes, JSON documents, and lines of text."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple


class Mutant(NamedTuple):
    """A damaged file; `broken` when nothing that reads it as a whole may accept it."""

    data: bytes
    damage: str
    broken: bool = False


Mutate = Callable[[bytes, random.Random], Mutant]

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 3, 2.5, 1e308, math.nan, math.inf, 10**400, "", "x", "\0", "\ud800", "../x", "/", "x" * 5000,
    [], {}, [[]], [1, 2, 3, 4], {"x": 1},
)  # fmt: skip
"""Values that a JSON file may hold and its reader may not expect."""

TOKENS = (
    "", "nan", "inf", "1e999", "-1", "0", "1.5", "9" * 400, "x", "../..", "/", "[", "{", "*a", "&a", "!!int ''", "\x00",
    "!!timestamp x", "!!python/object/apply:os.system [touch exploded]", "[" * 3000,
    "&a [x, x, x, x, x, x, x, x]\n" + "\n".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [" + ", ".join([f"*{chr(97 + i)}"] * 9) + "]" for i in range(9)
    ),
)  # fmt: skip
"""The same for YAML, CSV and plain lines; the last one unfolds to a billion values if it is printed."""


def of_bytes(data: bytes, rng: random.Random) -> Mutant:
    """One of the things that disks, networks and wrong file names do."""
    damage = rng.choice(
        ["cut", "cut", "cut", "flip", "flip", "zeros", "hole", "noise", "repeat", "swap", "empty", "page", "random"]
    )
    a, b = sorted(rng.sample(range(len(data) + 1), 2))
    b = min(b, a + rng.choice([1, 16, 4096]))
    if damage == "cut":
        return Mutant(data[: rng.randrange(1, int(len(data) * 0.9))], damage, True)
    if damage == "empty":
        return Mutant(b"", damage, True)
    if damage == "page":
        return Mutant(b"<html><body>Log in to this network</body></html>", damage, True)
    if damage == "random":
        return Mutant(rng.randbytes(len(data)), damage, True)
    if damage == "flip":
        # Headers stand in front: half of the damage goes there.
        reach = min(len(data), 400) if rng.random() < 0.5 else len(data)
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 3, 10])):
            changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        return Mutant(bytes(changed), damage)
    middle = {
        "zeros": bytes(b - a),
        "hole": b"",
        "noise": data[a:b] + rng.randbytes(rng.choice([1, 7, 100])),
        "repeat": data[a:b] * 2,
        "swap": data[a:b][::-1],
    }[damage]
    return Mutant(data[:a] + middle + data[b:], damage)


def of_json(data: bytes, rng: random.Random) -> Mutant:
    """A node of the document replaced, removed, repeated or wrapped; or bytes as :func:`of_bytes`."""
    if rng.random() < 0.2:
        return of_bytes(data.rstrip(), rng)
    if rng.random() < 0.05:
        return Mutant(b"[" * 200_000, "deep", True)
    document = json.loads(data)
    places = list(_places(document))
    if not places:
        return Mutant(json.dumps(rng.choice(HOSTILE)).encode(), "replaced")
    parent, key = rng.choice(places)
    damage = rng.choice(["replaced", "replaced", "replaced", "removed", "repeated", "wrapped", "renamed"])
    if damage == "replaced":
        parent[key] = rng.choice(HOSTILE)
    elif damage == "removed":
        del parent[key]
    elif damage == "wrapped":
        parent[key] = [parent[key]]
    elif isinstance(parent, list):
        parent.insert(key, parent[key])
        damage = "repeated"
    else:
        parent[rng.choice(["x", "", "0", "val"])] = parent.pop(key)
        damage = "renamed"
    return Mutant(json.dumps(document).encode(), damage)


def _places(node: Any) -> Any:
    """Every (container, key) below a node; of long lists the first ten."""
    keys = range(min(10, len(node))) if isinstance(node, list) else list(node) if isinstance(node, dict) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


def of_json_lines(data: bytes, rng: random.Random) -> Mutant:
    """One line of a file of JSON lines, as :func:`of_json`; or bytes."""
    if rng.random() < 0.3:
        return of_bytes(data, rng)._replace(broken=False)  # a journal that was cut is a shorter journal
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    mutant = of_json(lines[at], rng)
    lines[at] = mutant.data
    return Mutant(b"\n".join(lines) + b"\n", mutant.damage)


def of_text(data: bytes, rng: random.Random) -> Mutant:
    """A line or a word of a text file replaced, removed or repeated; or bytes. A shorter text may well be sound."""
    if rng.random() < 0.25:
        return of_bytes(data, rng)._replace(broken=False)
    lines = data.decode().splitlines()
    at = rng.randrange(len(lines))
    damage = rng.choice(["word", "word", "word", "removed", "repeated", "added"])
    if damage == "word":
        separator = next((s for s in (",", ": ", " ") if s in lines[at]), "\n")
        words = lines[at].split(separator)
        words[rng.randrange(len(words))] = rng.choice(TOKENS)
        lines[at] = separator.join(words)
    elif damage == "removed":
        del lines[at]
    elif damage == "repeated":
        lines.insert(at, lines[at])
    else:
        lines.insert(at, rng.choice(TOKENS))
    return Mutant("\n".join(lines).encode(), damage)
