"""Write docs/licences.md: under which licence each requirement of the lock stands, as its own metadata say.

python benchmarks/licences.py
"""

import re
from importlib import metadata
from pathlib import Path

TOP = Path(__file__).parents[1]

HEAD = """# Licences

chestlib is under the [MIT licence](../LICENSE). It ships these weights:

| file | learnt from | licence |
| --- | --- | --- |
| `chestlib/train/chest.safetensors` | drawn films of the phantom | MIT |
| `chestlib/prediction/shipped/` | real films: [model cards](model-cards.md) | MIT; its trunk Apache-2.0 |

What `requirements.lock` asks for, by what each package says of itself (`python benchmarks/licences.py`; those of
other systems and Pythons are left out):

| package | licence |
| --- | --- |
"""


def licence(name: str) -> str:
    """Give the licence by its expression, else by its classifiers, else by the first line of the field."""
    said = metadata.metadata(name)
    if expression := said.get("License-Expression"):
        return expression
    marks = [value.split(" :: ")[-1] for value in said.get_all("Classifier", []) if value.startswith("License ::")]
    marks = [mark for mark in marks if mark != "OSI Approved"]
    return "; ".join(marks) or next(iter((said.get("License") or "").splitlines()), "") or "not said"


def main() -> None:
    """Write the page."""
    names = sorted(set(re.findall(r"^([\w.-]+?)(?:\[.*\])?==", (TOP / "requirements.lock").read_text(), re.M)))
    rows = []
    for name in names:
        try:
            rows.append(f"| {name} | {licence(name).replace('|', '/')} |\n")
        except metadata.PackageNotFoundError:
            continue
    (TOP / "docs" / "licences.md").write_text(HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
