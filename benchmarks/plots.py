"""Figures as SVG, for people who see more in a plot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Bars side by side: for each series a value at each place, None where there is none.

    Attributes:
        title: What is to be seen.
        unit: Of the values.
        places: Names along the axis.
        series: Values by name.
        logarithmic: Whether each step of the axis is ten times the last one.
    """

    title: str
    unit: str
    places: Sequence[str]
    series: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    logarithmic: bool = False

    def save(self, path: Path) -> None:
        """Write it as SVG, without scripts."""
        # Imported late: it puts an importer of its own into sys.meta_path, which warns ever after.
        import pygal  # noqa: PLC0415 - see above
        from pygal.style import CleanStyle  # noqa: PLC0415 - see above

        chart = pygal.Bar(
            title=self.title,
            y_title=self.unit,
            logarithmic=self.logarithmic,
            style=CleanStyle,
            js=(),
            legend_at_bottom=True,
            legend_at_bottom_columns=3,
            x_label_rotation=20 if len(self.places) > _MANY else 0,
            width=960,
            height=480,
        )
        chart.x_labels = list(self.places)
        for name, values in self.series.items():
            chart.add(name, list(values))
        chart.render_to_file(str(path))


_MANY = 5
