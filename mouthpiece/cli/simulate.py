"""`mouthpiece simulate`: the scheduler under a virtual clock, beside the rules that it replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mouthpiece.cli.console import err, out, print_json
from mouthpiece.cli.gantt import Bar, gantt
from mouthpiece.cli.words import count
from mouthpiece.errors import BadInput
from mouthpiece.simulate.metrics import Figures
from mouthpiece.simulate.picture import svg
from mouthpiece.simulate.scenarios import QUICK, QUICK_JOBS, SCENARIOS, Scenario, choose
from mouthpiece.simulate.study import OURS, POLICIES, Result, Task, live, study
from mouthpiece.simulate.world import Lane

_MARGIN = 8
_STATES = {"done": "done", "": "running", "aborted": "cancelled"}


@dataclass(frozen=True, slots=True)
class _Column:
    """One figure: its heading, how it is read and written, and whether more of it is better."""

    name: str
    value: Callable[[Figures], float]
    write: Callable[[float], str]
    rising: bool = False


def _seconds(value: float) -> str:
    return f"{max(value, 0.0):.1f}" if value < 99.95 else f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


_COLUMNS = (
    _Column("mean", lambda f: f.mean, _seconds),
    _Column("p50", lambda f: f.p50, _seconds),
    _Column("p95", lambda f: f.p95, _seconds),
    _Column("p99", lambda f: f.p99, _seconds),
    _Column("long", lambda f: f.p99_long, _seconds),
    _Column("first", lambda f: f.first, _seconds),
    _Column("short", lambda f: f.first_short, _seconds),
    _Column("stall", lambda f: f.stall, _seconds),
    _Column("fair", lambda f: f.fairness, lambda value: f"{value:.2f}", rising=True),
    _Column("waste", lambda f: f.waste, _percent),
)
_EXPLAINED = (
    "Virtual seconds since a job came. mean to p99: its end; long: p99 of the longest kind of jobs; "
    "first: its first picture; short: p95 of that for the shortest kind; stall: playback stood still; "
    "bound: a mean that no policy can beat. fair: Jain's index over the tenants' slowdowns. "
    "waste: part of the workers' busy time that made no frame of a result. "
    "ETA: median error of the estimate at half time. Bold is best."
)


def simulate(
    names: Sequence[str],
    policies: Sequence[str],
    seeds: int,
    *,
    quick: bool,
    as_json: bool = False,
    as_markdown: bool = False,
) -> None:
    """Run scenarios under policies and show the figures."""
    chosen = [SCENARIOS[name] for name in QUICK] if quick and not names else choose(names)
    if quick:
        chosen = [replace(one, jobs=min(one.jobs, QUICK_JOBS)) for one in chosen]
    results = _study(chosen, _known(policies), 1 if quick else seeds)
    if as_json:
        print_json([_report(result) for result in results])
    elif as_markdown:
        out().print("\n".join(markdown(results)), markup=False, highlight=False, soft_wrap=True)
    else:
        out().print(tables(results))


def draw(
    names: Sequence[str], policies: Sequence[str], begin: float, end: float, picture: Path | None
) -> None:
    """Show who rendered what in one scenario, as text and, with a path, as SVG."""
    chosen = choose(names)
    if len(chosen) != 1:
        raise BadInput("scenario", "name one scenario to draw")
    if end <= begin:
        raise BadInput("end", "must lie behind the beginning")
    policies = _known(policies) if policies else [OURS]
    if picture and len(policies) != 1:
        raise BadInput("policy", "name one policy to draw into a file")
    for policy in policies:
        lanes = live(Task(chosen[0], policy, 1), end).lanes
        title = f"{chosen[0].name}, {policy}"
        out().print(_gantt(lanes, begin, end, title, out().width))
        if picture:
            picture.write_text(svg(lanes, begin, end, title), encoding="utf-8")


def catalogue() -> Table:
    """Every scenario, by group."""
    table = _table("group", "scenario", ">workers", ">load", ">jobs")
    for group, found in groupby(SCENARIOS.values(), key=lambda one: one.group):
        for number, one in enumerate(found):
            load = f"{one.load:g}" if one.load else "one job"
            table.add_row(
                "" if number else group, one.name, str(len(one.cluster.speeds)), load, str(one.jobs)
            )
    return table


def tables(results: Sequence[Result]) -> RenderableType:
    """A table for each group of scenarios, a line for each policy, and where a rival is ahead."""
    parts: list[RenderableType] = []
    for group, found in groupby(results, key=lambda result: result.scenario.group):
        parts += [Text(group, style="bold"), Padding(_figures(list(found)), (0, 0, 1, 0))]
    lost = [_lost(result) for result in results if result.figures.failed]
    if lost:
        parts += [Text("refused or failed", style="bold"), Text("; ".join(lost)), Text()]
    ahead = list(rivals_ahead(results))
    if ahead:
        parts += [Text("where a rival is ahead", style="bold"), *map(Text, ahead), Text()]
    return Group(*parts, Text(_EXPLAINED, style="key"))


def markdown(results: Sequence[Result]) -> Iterator[str]:
    """The tables as lines for a document, and where a rival is ahead."""
    for group, grouped in groupby(results, key=lambda result: result.scenario.group):
        names = [column.name for column in _COLUMNS]
        yield from (f"### {group}", "", _row(["", "bound", "policy", *names, "ETA"]))
        yield _row(["---"] * (len(names) + 4))
        for found in _by_scenario(list(grouped)):
            yield from _lines(found)
        yield ""
    yield from (f"- {line}" for line in rivals_ahead(results))


def _lines(found: Sequence[Result]) -> Iterator[str]:
    best = [min(_badness(column, result.figures) for result in found) for column in _COLUMNS]
    for number, result in enumerate(found):
        cells = [
            f"**{written}**" if _badness(column, result.figures) <= least else written
            for column, least in zip(_COLUMNS, best, strict=True)
            if (written := column.write(column.value(result.figures)))
        ]
        head = ["", ""] if number else [result.scenario.name, _seconds(result.figures.ideal)]
        ours = result.policy == OURS
        eta = _percent(result.figures.eta_error) if ours else ""
        yield _row([*head, f"**{result.policy}**" if ours else result.policy, *cells, eta])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rivals_ahead(results: Sequence[Result]) -> list[str]:
    """Figures in which a rival is better by more than 5 %, a line for each figure."""
    lines: list[str] = []
    for column in _COLUMNS:
        places = [place for found in _by_scenario(results) if (place := _ahead(column, found))]
        if places:
            lines.append(f"{column.name}: {'; '.join(places)}")
    return lines


def _ahead(column: _Column, found: Sequence[Result]) -> str:
    ours = next((result.figures for result in found if result.policy == OURS), None)
    rivals = [result for result in found if result.policy != OURS]
    if ours is None or not rivals:
        return ""
    best = min(rivals, key=lambda result: _badness(column, result.figures))
    mine, other = column.value(ours), column.value(best.figures)
    worse = mine < 0.95 * other if column.rising else mine > 1.05 * other + 0.01
    told = f"{best.policy} {column.write(other)}, {OURS} {column.write(mine)}"
    return f"{best.scenario.name} ({told})" if worse else ""


def _known(policies: Sequence[str]) -> list[str]:
    for name in policies:
        if name not in POLICIES:
            raise BadInput("policy", f"there is no {name}; known are {', '.join(POLICIES)}")
    return [name for name in POLICIES if not policies or name in policies]


def _study(chosen: Sequence[Scenario], policies: Sequence[str], seeds: int) -> list[Result]:
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        task = progress.add_task("")
        return study(chosen, policies, seeds, lambda ran, of: progress.update(task, completed=ran, total=of))


def _report(result: Result) -> dict[str, object]:
    scenario = result.scenario
    return {
        "group": scenario.group,
        "scenario": scenario.name,
        "workers": len(scenario.cluster.speeds),
        "load": scenario.load,
        "policy": result.policy,
        **asdict(result.figures),
    }


def _by_scenario(results: Sequence[Result]) -> list[list[Result]]:
    return [list(found) for _, found in groupby(results, key=lambda result: result.scenario)]


def _figures(results: Sequence[Result]) -> Table:
    table = _table("", *(f">{column.name}" for column in _COLUMNS), ">ETA")
    for found in _by_scenario(results):
        best = [min(_badness(column, result.figures) for result in found) for column in _COLUMNS]
        table.add_row(Text(found[0].scenario.name, style="busy"))
        for result in found:
            cells = [_cell(column, result, least) for column, least in zip(_COLUMNS, best, strict=True)]
            eta = _percent(result.figures.eta_error) if result.policy == OURS else ""
            table.add_row(_policy(result), *cells, eta)
        table.add_row(Text("bound", style="key"), Text(_seconds(found[0].figures.ideal), style="key"))
        table.add_section()
    return table


def _cell(column: _Column, result: Result, least: float) -> Text:
    written = column.write(column.value(result.figures))
    best = _badness(column, result.figures) <= least
    style = ("bold green" if result.policy == OURS else "bold") if best else ""
    return Text(written, style=style)


def _lost(result: Result) -> str:
    return f"{result.scenario.name}, {result.policy}: {count(result.figures.failed, 'job')}"


def _policy(result: Result) -> Text:
    return Text(result.policy, style="bold" if result.policy == OURS else "")


def _badness(column: _Column, figures: Figures) -> float:
    return -column.value(figures) if column.rising else column.value(figures)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="key", pad_edge=False, show_edge=False, padding=0)
    for name in columns:
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    return table


def _gantt(lanes: Sequence[Lane], begin: float, end: float, title: str, width: int) -> RenderableType:
    numbers = {job: str(number) for number, job in enumerate(dict.fromkeys(lane.job for lane in lanes), 1)}
    bars = [
        Bar(
            lane.worker,
            max(lane.start, begin) - begin,
            min(lane.end, end) - begin,
            _STATES.get(lane.outcome, "failed"),
            numbers[lane.job],
        )
        for lane in lanes
        if lane.end > begin and lane.start < end
    ]
    return Group(Text(title, style="bold"), Padding(gantt(bars, width - _MARGIN), (1, 0, 1, 0)))
