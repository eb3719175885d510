"""What every answer shares: it is data first, and shows itself in many ways."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latprof import __version__

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1


class Answer(ABC):
    """A result that can be read as a dict, a frame, text, Markdown or a page."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each kernel."""
        import pandas as pd

        data = self.to_dict()
        rows = list(data.get("kernels", ()))
        for prediction in data.get("predictions", ()):
            where = {"device": prediction["device"], "target": prediction["target"]}
            rows += [where | kernel for kernel in prediction["kernels"]]
        return pd.DataFrame(rows)

    def to_html(self) -> str:
        """A self-contained page."""
        from latprof.report.html import render_html

        return render_html(self.to_dict())

    def to_markdown(self) -> str:
        """A comment for a pull request."""
        from latprof.report.markdown import render_markdown

        return render_markdown(self.to_dict())

    def to_text(self, *, width: int = 100, color: bool = False) -> str:
        """What the terminal shows."""
        from latprof.report.text import render_text

        return render_text(self.to_dict(), width=width, color=color)

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def __str__(self) -> str:
        return self.to_text()


def heading(kind: str, command: str) -> dict[str, Any]:
    """The entries every answer begins with."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return {
        "schema": SCHEMA,
        "kind": kind,
        "command": command,
        "created": now.isoformat().replace("+00:00", "Z"),
        "latprof": __version__,
    }


def shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Each part as a fraction of the whole; zeros when the whole is zero."""
    whole = sum(parts.values())
    return {name: (part / whole if whole else 0.0) for name, part in parts.items()}
