"""COCO, YOLO and the challenge's per-image JSON: each module turns records into files and files into records.

Images are not touched here. Writers return {path relative to the folder: text}; readers gather what is wrong in a
:class:`chestlib.data.Reading`. Boxes survive there and back to a thousandth of a pixel.
"""
