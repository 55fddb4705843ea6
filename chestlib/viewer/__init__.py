"""BoxViewer: look at radiographs with true and detected boxes, in a notebook and in a page without a kernel.

One script, joined from `js/`, draws everything. Live, the boxes travel once and a picture travels when it is shown. A
cell's output also holds a small static form (see :mod:`chestlib.viewer.static`), which a saved notebook and the report
show, and a PNG for where no script runs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.viewer import films, javascript, lengths, pictures, static
from chestlib.viewer import heat as heating
from chestlib.viewer.films import read_tags
from chestlib.viewer.pictures import drawn
from chestlib.viewer.reading import committed, require_readable
from chestlib.viewer.static import Embed
from chestlib.viewer.study import study

__all__ = ["BoxViewer", "Embed", "drawn", "javascript", "pictures", "read_tags", "static"]

SIDE = 1024
"""Longer side of a live picture at most, pixels."""

THUMBNAIL = 64
"""Longer side of a small picture in the list, pixels."""

TRAITS = (
    "index", "threshold", "iou", "hidden", "selection", "colour", "layers", "height", "read", "detector", "against",
    "heat_opacity", "tags", "view",
    "_study", "_reading",
)  # fmt: skip


class BoxViewer(anywidget.AnyWidget):
    """One radiograph or hundreds, with truth and detections.

    Every keyword from `index` on is also a trait: set it to steer the view, `observe` it to follow the user.

    Parameters
    ----------
    images : path, array, Record, or a sequence of them
        Arrays and tensors are (H, W) or (1, H, W), grey: floats in [0, 1], or whole numbers from 0, of which the
        smallest of 255, 1023, 4095, 16383 and 65535 that none exceeds is white (a DICOM's `pixel_array` of 12 bits is
        shown as it is). Of another range the viewer says in the picture's place by what to divide. A Record brings
        image, name, patient and truth.
    truth : sequence of Record or (boxes, labels), optional
        One an image; None where it is not known.
    detections : sequence of Detections, or a mapping of them, optional
        One an image, in order or by name. Several detectors: {"scratch": [...], "chest weights": [...]}; A goes from
        one to the other, and their difference can be coloured.
    names, patients : sequence of str, optional
    heat : mapping of file name to (H, W) array in [0, 1], or a sequence with one or None an image, optional
        Laid over the films, coloured, off at first: Grad-CAM of :func:`chestlib.figures.cam`, or any other map.
    spacing : (float, float), a sequence or a mapping of them, optional
        Mm of a pixel across and down, for ruler and scale bar. Without it counts what a DICOM header or NIH's table
        says; else they measure in pixels.
    index : int
        The image shown.
    threshold : float
        Detections with a lower score are left out.
    iou : float
        Least overlap of a match, as in :func:`chestlib.metrics.matching.match`.
    hidden : sequence of str
        Findings that are not drawn.
    selection : {"layer": "truth", "detections" or "yours", "box": int}, optional
        The box selected, by its place among the boxes of the image.
    colour : str
        "finding"; "match": hit, false alarm, missed; or "difference": found by both detectors, by one, by neither.
    layers : sequence of str
        Of "truth", "detections" and "yours", those drawn.
    height : int
        CSS pixels.
    read : bool
        Read first: truth and detections stay hidden on a film until the reader has drawn his own boxes and committed
        them; :meth:`readings` gives them. Needs a truth for every image. Fixed when the viewer is made.
    detector, against : str
        Of several, the one shown and the one it is compared with.
    heat_opacity : float
        Of the heat map; 0 hides it.
    tags : dict
        File name to the reader's words for the film, a list; see :func:`read_tags`.
    view : dict
        What to show again: film, zoom, flip and turn, grey window, filter, order, settings, heat map. "Copy as Python"
        in the viewer writes it.

    Raises
    ------
    ChestlibError
        If there is nothing to show, or the sequences differ in length.
    """

    _esm = javascript.module()
    _css = static.STYLE

    index = t.Int(0, min=0).tag(sync=True)
    threshold = t.Float(0.5, min=0, max=1).tag(sync=True)
    iou = t.Float(0.5, min=0, max=1).tag(sync=True)
    hidden = t.List(t.Unicode()).tag(sync=True)
    selection: Any = t.Dict(None, allow_none=True).tag(sync=True)
    colour = t.Enum(("finding", "match", "difference"), "finding").tag(sync=True)
    layers = t.List(t.Enum(("truth", "detections", "yours")), ["truth", "detections"]).tag(sync=True)
    height = t.Int(600, min=240).tag(sync=True)
    read = t.Bool(False).tag(sync=True)
    detector = t.Unicode().tag(sync=True)
    against = t.Unicode().tag(sync=True)
    heat_opacity = t.Float(0.0, min=0, max=1).tag(sync=True)
    tags = t.Dict().tag(sync=True)
    view = t.Dict().tag(sync=True)
    _study = t.Dict().tag(sync=True)
    _reading = t.Dict().tag(sync=True)
    _first = t.Dict().tag(sync=True)

    def __init__(
        self,
        images: Any,
        truth: Sequence[Any] | None = None,
        detections: Sequence[Detections | None] | Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] | None = None,
        patients: Sequence[str] | None = None,
        heat: Any = None,
        spacing: Any = None,
        **traits: Any,
    ) -> None:
        if unknown := traits.keys() - {*type(self).class_trait_names()}:
            known = ", ".join(name for name in TRAITS if name[0] != "_")
            raise ChestlibError(f"{min(unknown)}: no option of a viewer; known are {known}")
        self._sources, content = study(images, truth, detections, names, patients)
        lengths.given(spacing, content["images"], self._sources)
        self._heat = heating.maps(heat, [image["name"] for image in content["images"]], self._sources)
        content["heat"] = any(heated is not None for heated in self._heat)
        selection = traits.pop("selection", None)
        if traits.get("read"):
            require_readable(content["images"])
            traits = {"colour": "match", "layers": ["truth", "yours"], **traits}
        if len(several := content["detectors"]) > 1:
            shown = traits.setdefault("detector", several[0])
            traits.setdefault("against", next(name for name in several if name != shown))
        titles = [image["name"] for image in content["images"]]
        films.require_known(films.checked(traits.get("tags", {})), titles)
        super().__init__(_study=content, **traits)
        self.selection = selection  # after index, whose change clears it
        # The first picture travels with the widget: a busy kernel answers no messages.
        self._first = self._message(self.index)
        self.on_msg(self._answer)

    def __len__(self) -> int:
        return len(self._sources)

    def __repr__(self) -> str:
        shown = self._study["images"]
        counts = [f"{len(self)} image{'s' * (len(self) != 1)}"]
        if self.read:
            return f"BoxViewer({counts[0]} to read, {len(self.readings())} read)"
        if any(image["truth"] is not None for image in shown):
            counts.append(f"{sum(len(image['truth'] or ()) for image in shown)} true boxes")
        if any(image["detections"] is not None for image in shown):
            counts.append(f"{sum(len(image['detections'] or ()) for image in shown)} detections")
        return f"BoxViewer({', '.join(counts)})"

    @t.validate("index")
    def _within(self, proposal: dict[str, Any]) -> int:
        if not 0 <= proposal["value"] < len(self._sources):
            raise t.TraitError(f"index is 0 to {len(self._sources) - 1}; got {proposal['value']}")
        return proposal["value"]

    @t.validate("hidden")
    def _known(self, proposal: dict[str, Any]) -> list[str]:
        names = [finding["name"] for finding in self._study["findings"]]
        if unknown := [name for name in proposal["value"] if name not in names]:
            raise t.TraitError(f"hidden: {unknown[0]!r} is no finding; known are {', '.join(names)}")
        return proposal["value"]

    @t.validate("detector", "against")
    def _compared(self, proposal: dict[str, Any]) -> str:
        names, value = self._study["detectors"], proposal["value"]
        if value and value not in names:
            known = f"known are {', '.join(names)}" if names else "the detections have no names"
            raise t.TraitError(f"{proposal['trait'].name}: {value!r} is no detector; {known}")
        return value

    @t.validate("tags")
    def _tagged(self, proposal: dict[str, Any]) -> films.Tags:
        try:
            return films.checked(proposal["value"])
        except ChestlibError as error:
            raise t.TraitError(str(error)) from None

    @t.observe("view")
    def _to_its_film(self, change: dict[str, Any]) -> None:
        place = films.place(change["new"], [image["name"] for image in self._study["images"]])
        if place is not None:
            self.index = place

    @t.observe("index")
    def _unselect(self, _: dict[str, Any]) -> None:
        self.selection = None

    def _message(self, index: int, kind: str = "picture") -> dict[str, Any]:
        side, quality = (THUMBNAIL, 80) if kind == "thumbnail" else (SIDE, None)
        try:
            picture = pictures.encode(self._sources[index], side, quality)
        except ChestlibError as error:
            return {"kind": kind, "index": index, "error": str(error)}
        thumbnail = kind == "thumbnail"
        extent = None if thumbnail else lengths.found(self._study["images"][index], self._sources[index])
        heated = None if thumbnail else self._heat[index]
        return {
            "kind": kind,
            "index": index,
            "width": picture.width,
            "height": picture.height,
            "data": picture.data,
            **({"extent": extent} if extent else {}),
            **({} if heated is None else {"heat": heating.encode(heated)}),
        }

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        if content.get("kind") in ("picture", "thumbnail") and content.get("index") in range(len(self)):
            message = self._message(content["index"], content["kind"])
            buffers = [message.pop(name) for name in ("data", "heat") if name in message]  # the heat map may be missing
            self.send(message, buffers or None)

    def readings(self) -> dict[str, Detections]:
        """Give what the reader has committed so far, as every metric and `chestlib evaluate` take predictions.

        Returns
        -------
        dict
            File name to detections, with the reader's certainty as score; films not yet committed are left out, a film
            called normal has none.
        """
        names = tuple(finding["name"] for finding in self._study["findings"])
        return committed(self._study["images"], self._reading, names)

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in TRAITS}

    def to_html(self, path: Path | str | None = None, embed: Embed | None = None) -> str | Path:
        """Make a page that shows this viewer with no kernel and no network.

        Parameters
        ----------
        path : path, optional
            Where to write it; without one the text comes back.
        embed : Embed, optional
            Which pictures it carries; all of them at 768 pixels by default.
        """
        fragment = static.fragment(self._state(), self._sources, embed or Embed(), self._heat)
        text = static.page(fragment, self._study["images"][self.index]["name"])
        if path is None:
            return text
        write_atomically(Path(path), text)
        return Path(path)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_()
        assert bundle, "only a widget without a view has none"
        data, metadata = bundle
        data["text/html"] = static.fragment(self._state(), self._sources, Embed.in_notebook(), self._heat)
        try:
            image = pictures.drawn(self._sources[self.index], static.boxes(self._state()), 384)
        except ChestlibError:
            return data, metadata
        return {**data, "image/png": base64.b64encode(pictures.png(image)).decode()}, metadata
