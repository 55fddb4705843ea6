"""COCO, YOLO and the challenge's per-image JSON: each module turns records into files and files into records.

Writers yield (path below the new folder, text); readers gather what is wrong in a :class:`chestlib.data.Reading`.
Boxes survive there and back to a thousandth of a pixel.
"""
