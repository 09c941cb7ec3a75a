"""The plot: time to the right, one lane a job with its windows and runs, and the faults as bands across them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape

from chaos.shadows import UNCOUNTED, ends, key, starts
from chaos.values import Fault, History

LEFT, TOP, PER_SECOND, MARGIN = 110, 72, 4.0, 10
TICK_SECONDS = 10
NODE_HEIGHT, ROW_HEIGHT, GAP = 14, 5, 14
NARROWEST = 640
SERVERS = "servers"
COLORS = {"done": "#2a7d4f", "failed": "#c77700", "cut short": "#c0392b"}
BANDS = {"kill": "#222", "freeze": "#2e6fb7", "hold": "#8e44ad", "cut": "#8e44ad", "restart": "#795548"}
OTHER = "#7f8c8d"
LEGEND = {
    "killed": BANDS["kill"],
    "frozen": BANDS["freeze"],
    "cut off": BANDS["cut"],
    "restarted": BANDS["restart"],
    "other": OTHER,
}


def plot(history: History) -> str:
    """Return the whole SVG."""
    tops, height = _tops(history)
    width = max(NARROWEST, LEFT + PER_SECOND * (history.end - history.begin) + MARGIN)
    nodes = [*history.nodes, SERVERS]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width:.0f}" height="{height}" fill="#fff"/>',
        _legend(18, "Bars, by item: runs that are", COLORS, f" (grey lines: fire times; seed {history.seed})"),
        _legend(36, "Bands: nodes or servers that are", LEGEND, " (point at one)"),
        *_ticks(history, height),
        *(_label(node, TOP + index * NODE_HEIGHT + 11) for index, node in enumerate(nodes)),
        *(_band(history, fault, height) for fault in history.faults if fault.kind not in UNCOUNTED),
        *(_label(job, top + 9) for job, (top, _rows) in tops.items()),
        *_windows(history, tops),
        *_runs(history, tops),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


Tops = Mapping[str, tuple[int, int]]
"""Job → where its lane begins, and how many rows, one an item, it has."""


def _tops(history: History) -> tuple[Tops, int]:
    rows: dict[str, int] = defaultdict(int)
    for execution in history.executions:
        rows[execution.job] = max(rows[execution.job], execution.item + 1)
    y, tops = TOP + (len(history.nodes) + 1) * NODE_HEIGHT + GAP, {}
    for job in sorted(rows):
        tops[job] = (y, rows[job])
        y += max(rows[job], 2) * ROW_HEIGHT + GAP
    return tops, y


def _x(history: History, at: float) -> float:
    return LEFT + PER_SECOND * (min(max(at, history.begin), history.end) - history.begin)


def _legend(y: int, text: str, colors: Mapping[str, str], more: str) -> str:
    words = ", ".join(f'<tspan fill="{color}" font-weight="bold">{word}</tspan>' for word, color in colors.items())
    return f'<text x="{MARGIN}" y="{y}" font-size="13">{text} {words}{more}</text>'


def _ticks(history: History, height: int) -> Iterable[str]:
    """Draw the axis of time, in minutes and seconds since the beginning."""
    for seconds in range(0, int(history.end - history.begin) + 1, TICK_SECONDS):
        x = _x(history, history.begin + seconds)
        yield f'<path d="M{x:.1f} {TOP - 6}V{height}" stroke="#eee"/>'
        if seconds % (3 * TICK_SECONDS) == 0:
            yield f'<text x="{x:.1f}" y="{TOP - 10}" text-anchor="middle">{seconds // 60}:{seconds % 60:02}</text>'


def _label(text: str, y: float) -> str:
    return f'<text x="{MARGIN}" y="{y:.0f}">{escape(text)}</text>'


def _band(history: History, fault: Fault, height: int) -> str:
    """Draw a fault as a bar in the lanes of its nodes, and faintly across all jobs."""
    x = _x(history, fault.begin)
    width = max(1.5, _x(history, fault.end) - x)
    color = BANDS.get(fault.kind.partition(" ")[0], OTHER)
    bars = "".join(
        f'<rect x="{x:.1f}" y="{TOP + lane * NODE_HEIGHT}" width="{width:.1f}" height="{NODE_HEIGHT - 2}"/>'
        for lane in _lanes(history, fault)
    )
    across = f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{height - TOP}" opacity=".12"/>'
    told = escape(f"{fault.kind} {' '.join(fault.nodes)} {fault.detail}".strip())
    return f'<g fill="{color}"><title>{told}</title>{across}{bars}</g>'


def _lanes(history: History, fault: Fault) -> list[int]:
    return [history.nodes.index(node) for node in fault.nodes] or [len(history.nodes)]


def _windows(history: History, tops: Tops) -> Iterable[str]:
    """Draw a line through the lane of a job at each of its fire times, also those that one row stands for."""
    for job, (top, rows) in tops.items():
        times = {fire.fire_time for fire in history.fires if fire.job == job}
        size = max(rows, 2) * ROW_HEIGHT
        path = "".join(f"M{_x(history, at):.1f} {top}v{size}" for at in sorted(times) if at >= history.begin)
        yield f'<path d="{path}" stroke="#aaa" stroke-width=".8"/>'


def _runs(history: History, tops: Tops) -> Iterable[str]:
    """Draw each run from its start to its end; one path a colour, as there are thousands."""
    ended = ends(history)
    paths: dict[str, list[str]] = defaultdict(list)
    for entry in starts(history):
        if entry.job not in tops:
            continue
        end = ended.get(key(entry))
        outcome = "cut short" if end is None else "done" if end.outcome == "done" else "failed"
        x, y = _x(history, entry.at), tops[entry.job][0] + entry.item * ROW_HEIGHT + 2
        length = max(1.2, _x(history, end.at) - x) if end else 3.0
        paths[outcome].append(f"M{x:.1f} {y}h{length:.1f}")
    for outcome, path in paths.items():
        yield f'<path d="{"".join(path)}" stroke="{COLORS[outcome]}" stroke-width="3"/>'
