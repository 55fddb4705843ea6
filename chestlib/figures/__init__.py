"""Every figure of the course, in one style: the findings keep their colours, axes name their units and counts."""

from chestlib.figures import gradcam
from chestlib.figures.cases import activation, event, matches
from chestlib.figures.dataset import box_sizes, finding_bars, gallery, heatmap
from chestlib.figures.intervals import forest, learning_curves
from chestlib.figures.scores import box_reliability, froc, net_benefit, pairs, reliability, roc_and_pr
from chestlib.figures.style import ACCENT, INK, QUIET, SOFT, WARN, boxes, grid, legend, save, truth, use_style, xray
from chestlib.figures.training import anchors, histories, network, slices, trials

__all__ = [
    "ACCENT", "INK", "QUIET", "SOFT", "WARN", "activation", "anchors", "box_reliability", "box_sizes", "boxes",
    "event", "finding_bars", "forest", "froc", "gallery", "gradcam", "grid", "heatmap", "histories", "learning_curves",
    "legend", "matches", "net_benefit", "network", "pairs", "reliability", "roc_and_pr", "save", "slices", "trials",
    "truth", "use_style", "xray",
]  # fmt: skip
