"""What results refer to: which image an id, a name or a path means, and which finding a category id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from chestlib.data import Record
from chestlib.errors import ChestlibError
from chestlib.files import IMAGE_SUFFIXES

OWN, NAME, PLACE = "the id in the annotation file", "name", "the place in the truth"
"""Of the ways to read an image id, those that others ask for."""


def text(said: Any, what: str) -> str:
    """Write an id as text: 3, "3" and 3.0 are one."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        raise ChestlibError(f"{what} {said!r} is neither a number nor a name")
    return str(int(said)) if isinstance(said, float) and said.is_integer() else str(said)


class Key:
    """Images by name or id, findings by name or category id; `notes` tell what could have been read otherwise.

    Parameters
    ----------
    truth : sequence of Record
    categories : mapping
        The truth's own category ids to names; empty where it has none.
    """

    def __init__(self, truth: Sequence[Record], categories: Mapping[Any, str]) -> None:
        self.truth = truth
        self.names = truth[0].names if truth else ()
        self.notes: list[str] = []
        self.files = {record.file_name: record for record in truth}
        self._labels = {name.casefold(): i for i, name in enumerate(self.names, start=1)}
        self._own = {str(i): name for i, name in categories.items()}
        self._categories = self._own
        self._order = [categories[i] for i in sorted(categories, key=lambda i: (str(type(i)), i))] or list(self.names)
        self._elsewhere: list[tuple[str, Path]] = []

    # --- images ---

    @cached_property
    def ends(self) -> list[dict[str, str]]:
        """Last steps with their suffix, paths without it, last steps without it: to the one image that has it."""
        found = []
        takes: tuple[Callable[[PurePosixPath], str], ...] = (
            lambda path: path.name,
            lambda path: path.with_suffix("").as_posix(),
            lambda path: path.stem,
        )
        for take in takes:
            own = {file: take(PurePosixPath(file)) for file in self.files}
            times = Counter(own.values())
            found.append({end: file for file, end in own.items() if times[end] == 1})
        return found

    def image(self, said: Any) -> str:
        """Find the file name that a path, a name or a stem means; what is none stays as it is."""
        whole = str(said).replace("\\", "/")
        steps = PurePosixPath(whole).parts
        for at in range(len(steps)):
            if (file := "/".join(steps[at:])) in self.files:
                return self._checked(whole, file)
        name = steps[-1] if steps else whole
        tries = [name, whole, name]
        if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
            tries.append(PurePosixPath(name).stem)  # a.jpg for a.png
        known = (names.get(end) for names, end in zip([*self.ends, self.ends[2]], tries, strict=False))
        return self._checked(whole, next(filter(None, known), whole))

    def _checked(self, said: str, file: str) -> str:
        """Note an image that lies in another folder than the one that was said."""
        record = self.files.get(file)
        if record and record.path and "/" in said and record.path.parts[-2:-1] != PurePosixPath(said).parts[-2:-1]:
            self._elsewhere.append((said, record.path))
        return file

    def images(self, said: Iterable[Any], path: Path, strict: bool = False) -> dict[str, str]:
        """Find the file name of every image id, by :func:`text`; an error for one that means none, or two.

        Ids of the annotation file come first, as COCO has it, and a second reading is told; `strict` refuses it.
        """
        ids = {text(i, "image_id") for i in said}
        if not (known := self._readings(ids)):
            own = any(record.id is not None for record in self.truth)
            raise ChestlibError(
                f"{path}: image_id ({', '.join(sorted(ids)[:3])}, …) is neither "
                + ("an id in the annotation file" if own else f"the position in the truth (1..{len(self.truth)})")
                + " nor the name of an image or the number in it; are these predictions for another part than the "
                f"{len(self.truth)} images that are scored?"
            )
        (kind, first), *others = known
        for other, names in others:
            if i := next((i for i in sorted(ids) if names[i] != first[i]), None):
                two = f"image_id {i} is {first[i]} by {kind} and {names[i]} by {other}"
                if strict or kind != OWN:
                    raise ChestlibError(f"{path}: {two}; give predictions as one JSON object from file name to list")
                self.tell(f"{two}; the id is taken")
                break
        if kind != NAME:
            self._elsewhere.clear()
        if kind.startswith(PLACE):
            self.tell(f"image_id is read as {kind}")
        files: dict[str, str] = {}
        for i in sorted(ids):
            if files.setdefault(first[i], i) != i:
                raise ChestlibError(f"{path}: image_id {files[first[i]]} and {i} are one image here, {first[i]}")
        return {i: first[i] for i in ids}

    def _readings(self, ids: set[str]) -> list[tuple[str, dict[str, str]]]:
        """List the ways to read all ids that there are, the first to be taken."""
        own = {str(r.id): r.file_name for r in self.truth if r.id is not None}
        if len(own) < sum(r.id is not None for r in self.truth):
            twice = Counter(str(r.id) for r in self.truth if r.id is not None)
            own = {i: file for i, file in own.items() if twice[i] == 1}
        names = {i: self.image(i) for i in ids}
        stems = {str(int(s)): f for s, f in self.ends[2].items() if s.isdecimal()}
        first = 0 if "0" in ids else 1
        places = {str(i): r.file_name for i, r in enumerate(self.truth, start=first)}
        found = [
            (OWN, own),
            (NAME, {i: file for i, file in names.items() if file in self.files}),
            ("the number in the file name", stems),
            *([] if own else [(f"{PLACE}, counted from {first}", places)]),
        ]
        return [(kind, known) for kind, known in found if ids <= known.keys()]

    # --- findings ---

    def label(self, name: Any) -> int:
        """Look up a finding by its name, its case ignored."""
        known = self._labels.get(str(name).casefold())
        if known is None:
            raise ChestlibError(f"unknown finding {name!r}; known are {', '.join(self.names)}")
        return known

    def use_categories(self, said: Iterable[Any]) -> None:
        """Settle, on all category ids of a file, how they are counted; :meth:`category` then looks each up."""
        ids = {text(i, "category_id") for i in said}
        counted = {str(i): name for i, name in enumerate(self.names, start=1)}
        if ids and not ids <= self._own.keys() and "0" in ids and ids <= {str(i) for i in range(len(self._order))}:
            self._categories = {str(i): name for i, name in enumerate(self._order)}
            self.tell(f"category_id is counted from 0: 0 is {self._order[0]}")
        elif ids and not self._own:
            self._categories = counted
            self.tell(f"category_id is counted from 1: 1 is {self.names[0]}, {len(counted)} is {self.names[-1]}")
        elif ids <= counted.keys() and any(self.label(self._own[i]) != int(i) for i in ids & self._own.keys()):
            i = min(ids, key=int)
            self.tell(f"category_id is read as the annotation file's own: {i} is {self._own.get(i)}")

    def category(self, said: Any) -> int:
        """Look up a finding by a category id."""
        if (name := self._categories.get(text(said, "category_id"))) is None:
            known = ", ".join(f"{i} {name}" for i, name in self._categories.items())
            raise ChestlibError(f"unknown category {said!r}; known are {known}")
        return self.label(name)

    def index(self, said: Any) -> int:
        """Look up a finding by its place, counted from 0, among the truth's classes."""
        whole = text(said, "class")
        if not whole.isdecimal() or int(whole) >= len(self._order):
            raise ChestlibError(f"unknown class {said!r}; the classes are 0 to {len(self._order) - 1}")
        self.tell(f"class is counted from 0 among the truth's own: 0 is {self._order[0]}")
        return self.label(self._order[int(whole)])

    # --- what is told ---

    def tell(self, note: str) -> None:
        """Note once."""
        if note not in self.notes:
            self.notes.append(note)

    def all_notes(self) -> list[str]:
        """Give all notes, those on images in other folders counted."""
        if not self._elsewhere:
            return self.notes
        said, path = self._elsewhere[0]
        count = len({said for said, _ in self._elsewhere})
        return [
            *self.notes,
            f"{count} images are taken by their names alone, from other folders (as {said} for {path})",
        ]
