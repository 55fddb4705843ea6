"""How good it is: binary scores, COCO average precision, the challenge's FROC, per-finding scores, and intervals.

Every metric counts images without a box as ground for false positives, and leaves out of every mean what the truth
lacks. Point values and bootstrap intervals come from the same functions, of one row of weights or of thousands.
"""

from chestlib.metrics.binary import (
    OperatingPoint,
    binary_intervals,
    binary_scores,
    confusion_counts,
    curves,
    recall_by_finding,
    recall_by_size,
    reliability,
    threshold_at_floor,
    weighted_scores,
)
from chestlib.metrics.calibration import Calibration, box_reliability, calibrate, isotonic
from chestlib.metrics.coco import average_precision, average_recall, coco_ranks, coco_scores, share_scores
from chestlib.metrics.comparison import compare, compare_binary, compared
from chestlib.metrics.confusion import box_scores, confusion_matrix
from chestlib.metrics.decision import decisions, net_benefit
from chestlib.metrics.errors import Alarm, Missed, error_scores, false_alarms, missed_boxes
from chestlib.metrics.evaluation import detection_intervals, evaluate
from chestlib.metrics.export import write_coco
from chestlib.metrics.froc import froc_curves, froc_pooled, froc_ranks, froc_scores
from chestlib.metrics.fusion import FUSED, fuse, fuse_all
from chestlib.metrics.gate import cascade, gating_curve, soft, sure_threshold
from chestlib.metrics.intervals import bootstrap_intervals, mean_present
from chestlib.metrics.localisation import finding_auroc, localisation_scores, pointing
from chestlib.metrics.matching import Criterion, Match, match, overlap
from chestlib.metrics.measures import Measures
from chestlib.metrics.predictions import Found, noted_thresholds, read_predictions
from chestlib.metrics.presence import choose_thresholds, presence_scores
from chestlib.metrics.subgroups import grouped, read_groups, subgroup_scores
from chestlib.metrics.tables import table

__all__ = [
    "FUSED", "Alarm", "Calibration", "Criterion", "Found", "Match", "Measures", "Missed",
    "OperatingPoint", "average_precision", "average_recall", "binary_intervals", "binary_scores",
    "bootstrap_intervals", "box_reliability", "box_scores", "calibrate", "cascade", "choose_thresholds", "coco_ranks",
    "coco_scores", "compare", "compare_binary", "compared", "confusion_counts", "confusion_matrix", "curves",
    "decisions", "detection_intervals", "error_scores", "evaluate", "false_alarms", "finding_auroc", "froc_curves",
    "froc_pooled", "froc_ranks", "froc_scores", "fuse", "fuse_all", "gating_curve", "grouped", "isotonic",
    "localisation_scores", "match", "mean_present", "missed_boxes", "net_benefit", "noted_thresholds", "overlap",
    "pointing", "presence_scores", "read_groups", "read_predictions", "recall_by_finding", "recall_by_size",
    "reliability", "share_scores", "soft", "subgroup_scores", "sure_threshold", "table", "threshold_at_floor",
    "weighted_scores", "write_coco",
]  # fmt: skip
