"""`mouthpiece simulate`: what it runs, shows and draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from mouthpiece.cli.console import THEME
from mouthpiece.cli.simulate import markdown, rivals_ahead, tables
from mouthpiece.simulate.metrics import measure
from mouthpiece.simulate.scenarios import GROUPS, SCENARIOS
from mouthpiece.simulate.study import OURS, POLICIES, Result, Task
from mouthpiece.simulate.study import run as run_once

Run = Callable[..., Any]


def test_a_quick_comparison_shows_ours_ahead_of_every_rival(run: Run) -> None:
    result = run("simulate", "--quick", "--json", "load-0.4")
    assert result.code == 0, result.err
    means = {row["policy"]: row["mean"] for row in json.loads(result.out)}
    assert set(means) == set(POLICIES)
    assert means[OURS] == min(means.values())
    assert means[OURS] > json.loads(result.out)[0]["ideal"] > 0


def test_tables_fit_a_narrow_terminal() -> None:
    scenario = replace(SCENARIOS["load-0.8"], jobs=20)
    rivals = ("worker-per-job", OURS)
    results = [Result(scenario, name, measure([run_once(Task(scenario, name, 1))])) for name in rivals]
    console = Console(width=80, theme=THEME)
    with console.capture() as capture:
        console.print(tables(results))
    lines = capture.get().splitlines()
    assert "…" not in capture.get()
    rows = {line.split()[0]: line.split() for line in lines if line.startswith(rivals)}
    assert float(rows[OURS][1]) == pytest.approx(results[1].figures.mean, abs=0.05)
    assert any(line.startswith("waste: load-0.8 (worker-per-job ") for line in lines)


def test_tables_for_a_document_have_a_cell_for_every_heading() -> None:
    scenario = replace(SCENARIOS["load-0.8"], jobs=10)
    results = [Result(scenario, name, measure([run_once(Task(scenario, name, 1))])) for name in POLICIES]
    title, _, heading, rule, *rows = [line for line in markdown(results) if not line.startswith("- ")]
    assert title == "### load"
    assert {line.count("|") for line in (heading, rule, *rows[:-1])} == {heading.count("|")}
    assert len(rows) == len(POLICIES) + 1
    assert f"{results[0].figures.mean:.1f}" in rows[0]


def test_a_run_is_drawn_in_the_terminal_and_into_a_file(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "run.svg"
    result = run("simulate", "load-0.4", "--svg", str(picture), "--end", "60")
    assert result.code == 0, result.err
    assert all(f"w0{number}" in result.out for number in range(8))
    drawn = ElementTree.parse(picture)
    titles = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert any(told and told.startswith("j00000 frames 0 to ") for told in titles)


def test_every_scenario_is_listed_with_its_group(run: Run) -> None:
    listed = run("simulate", "--list").out
    assert all(name in listed for name in (*GROUPS, *SCENARIOS))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "there is no nothing"),
        (("load-0.4", "--policy", "chance"), "there is no chance"),
        (("load", "--gantt"), "name one scenario"),
        (("load-0.4", "--gantt", "--begin", "9", "--end", "9"), "behind the beginning"),
        (("load-0.4", "--policy", "tape", "--policy", "idle-share", "--svg", "x.svg"), "name one policy"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_a_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run("simulate", *arguments)
    assert result.code == 2
    assert told in result.err


def test_where_a_rival_is_ahead_it_is_said() -> None:
    scenario = replace(SCENARIOS["load-0.4"], jobs=5)
    figures = measure([run_once(Task(scenario, OURS, 1))])
    slower = replace(figures, mean=2 * figures.mean, fairness=0.5)
    rival = Result(scenario, "chunk-queue", figures)
    assert rivals_ahead([Result(scenario, OURS, figures), rival]) == []
    told = rivals_ahead([Result(scenario, OURS, slower), rival])
    assert [line.split(":")[0] for line in told] == ["mean", "fair"]
    assert all("load-0.4 (chunk-queue " in line for line in told)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scenario", ["crashes", "freezes", "always-failing", "tenfold-slower"])
def test_every_policy_comes_to_an_end_whatever_fails(scenario: str, policy: str) -> None:
    found = run_once(Task(replace(SCENARIOS[scenario], jobs=8), policy, 1))
    assert all(one.done for one in found.outcomes)


def test_a_seed_tells_all_about_a_run() -> None:
    task = Task(replace(SCENARIOS["crashes"], jobs=10), OURS, 3)
    assert run_once(task) == run_once(task)
    assert run_once(task) != run_once(replace(task, seed=4))
