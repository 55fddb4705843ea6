"""Data sets on disk as records with images and patients: read, checked, converted, fetched, split and cached."""

from chestlib.data import images, splits
from chestlib.data.annotations import Problem, Reading, Record
from chestlib.data.cache import Pixels, cache_usage, cached_images, content_digests
from chestlib.data.check import CheckReport, check
from chestlib.data.convert import FORMATS, Conversion, convert
from chestlib.data.extent import Extent, extent_of
from chestlib.data.fetch import fetch
from chestlib.data.folder import DataFolder, open_data, summary
from chestlib.data.formats.official import read_annotations, write_annotations
from chestlib.data.formats.recognise import PHANTOM, UNFINISHED_PHANTOM
from chestlib.data.identity import Identity, annotations_digest, digest, identify
from chestlib.data.patients import PATIENTS, patient_groups, visit_of, write_patients
from chestlib.data.splits import Split, TooSmall
from chestlib.data.vocabulary import findings_of, read_findings

__all__ = [
    "FORMATS", "PATIENTS", "PHANTOM", "UNFINISHED_PHANTOM", "CheckReport", "Conversion", "DataFolder",
    "Extent", "Identity", "Pixels", "Problem", "Reading", "Record", "Split", "TooSmall", "annotations_digest",
    "cache_usage", "cached_images", "check", "content_digests", "convert", "digest", "extent_of", "fetch",
    "findings_of", "identify", "images", "open_data", "patient_groups", "read_annotations", "read_findings", "splits",
    "summary", "visit_of", "write_annotations", "write_patients",
]  # fmt: skip
