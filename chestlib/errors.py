"""The one error a user meets: one clear line that names the file and says what to do."""

from __future__ import annotations


class ChestlibError(Exception):
    """Input or state that the user can mend.

    The message is one line: the file first, then what is wrong, then what to do. The command line
    prints it and exits with status 2; a notebook shows it as it is.
    """

    def _render_traceback_(self) -> list[str]:
        """Give IPython the line to show instead of a traceback."""
        return [str(self)]


EXTRAS = {
    "course": (
        "IPython", "anywidget", "bs4", "ipywidgets", "jinja2", "jupyter_client", "kagglehub", "latex2mathml",
        "markupsafe", "matplotlib", "matplotlib_inline", "nbclient", "nbconvert", "nbformat", "seaborn", "traitlets",
    ),
    "train": ("lightning", "optuna", "pandas", "sklearn", "sqlalchemy"),
    "dicom": ("pydicom",),
    "dask": ("distributed",),
    "postgres": ("psycopg2",),
}  # fmt: skip
"""What each extra of the package brings beyond its core, by the names that are imported."""


def missing(error: ImportError) -> ChestlibError | None:
    """Say in a line which extra brings what could not be imported; None where none of them does."""
    lacking = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if isinstance(error, ModuleNotFoundError) and lacking in modules:
            return ChestlibError(f'{lacking}: not installed; pip install "chestlib[{extra}]"')
    return None


class Interrupted(ChestlibError):
    """Long work that was stopped from outside; the command line exits with status 130."""
