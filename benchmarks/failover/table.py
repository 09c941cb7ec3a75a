"""The page: how long each failover took and may take, and what came of each round of freezing."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.failover.kills import WORKING
from benchmarks.table import line, verdict

Found = Mapping[str, Any]
"""Part → what was measured, with its versions; see `benchmarks.failover.__main__`."""

WORKING_SECONDS = 1.0
GRACE_SECONDS = 1.0
"""What a failover may take beyond the session timeout, where only that tells of the death."""

HOW = {"owned again": "items owned again", "runs again": "unfinished executions begun again"}


def markdown(found: Found) -> str:
    """Return the whole page."""
    lines = ["# Failover", ""]
    if "kills" in found:
        lines += [*kill_lines(found["kills"]["figures"]), "", measured_with(found["kills"]), ""]
    if "freezing" in found:
        lines += ["## Frozen in the middle", "", *freezing_lines(found["freezing"]["figures"]), ""]
        lines += [measured_with(found["freezing"]), ""]
    what = missed(found)
    return "\n".join([*lines, f"Missed: {'; '.join(what)}." if what else "Nothing is missed.", ""])


def kill_lines(figures: Sequence[Found]) -> list[str]:
    heading = ["servers", "killed by SIGKILL", "items", "from the kill until all", "may take", "median", "worst", "of"]
    return [line(heading), line(["---"] * len(heading)), *(each for case in figures for each in case_lines(case))]


def case_lines(case: Found) -> list[str]:
    return [case_line(case, how) for how in HOW if seconds_of(case, how)]


def case_line(case: Found, how: str) -> str:
    seconds = seconds_of(case, how)
    may = f"{limit(case):.0f} s" if case["judged"] else "–"
    worst = f"{max(seconds):.2f} s" + (verdict(max(seconds) < limit(case)) if case["judged"] else "")
    place = [case["column"], case["what"], str(case["items"])]
    return line([*place, HOW[how], may, f"{median(seconds):.2f} s", worst, str(len(seconds))])


def seconds_of(case: Found, how: str) -> list[float]:
    return [each[how] for each in case["rounds"] if how in each]


def limit(case: Found) -> float:
    return float(WORKING_SECONDS if case["what"] == WORKING else case["session"] + GRACE_SECONDS)


def freezing_lines(figures: Found) -> list[str]:
    heading = [
        "frozen",
        "rounds",
        "commits or answers to them lost",
        "run again after: may take",
        "median",
        "worst",
        "effect there exactly once",
    ]
    rounds = figures["rounds"]
    points = dict.fromkeys(each["point"] for each in rounds)
    rows = [point_line(p, [each for each in rounds if each["point"] == p], figures["limit"]) for p in points]
    return [line(heading), line(["---"] * len(heading)), *rows]


def point_line(point: str, rounds: Sequence[Found], most: float) -> str:
    seconds = [each["begun again"] for each in rounds]
    once = [each for each in rounds if each["effects"] == 1]
    lost = str(sum(each["lost replies"] for each in rounds))
    worst = f"{max(seconds):.2f} s" + verdict(max(seconds) < most)
    return line(
        [
            point,
            str(len(rounds)),
            lost,
            f"{most:.0f} s",
            f"{median(seconds):.2f} s",
            worst,
            f"{len(once)} of {len(rounds)}",
        ]
    )


def missed(found: Found) -> list[str]:
    """Return what took longer than it may, and which effects are not there exactly once."""
    cases = [case for case in found.get("kills", {}).get("figures", ()) if case["judged"]]
    late = [
        f"{HOW[how]}, {case['what']}, {case['items']} items"
        for case in cases
        for how in HOW
        if max(seconds_of(case, how), default=0) >= limit(case)
    ]
    frozen = found.get("freezing", {}).get("figures", {"rounds": (), "limit": 0})
    for each in frozen["rounds"]:
        if each["effects"] != 1:
            late.append(f"{each['effects']} effects of one that was frozen {each['point']}")
        if each["outcomes"][1] != "done":
            late.append(f"{each['outcomes'][1]} where one ran again that was frozen {each['point']}")
        if each["begun again"] >= frozen["limit"]:
            late.append(f"{each['begun again']} s until one that was frozen {each['point']} ran again")
    return late


def measured_with(part: Found) -> str:
    with_what = ", ".join(f"{name} {version}" for name, version in part["versions"].items())
    return f"{part['settings']} Measured with {with_what}."
