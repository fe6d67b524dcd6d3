from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from mouthpiece.choices import ScopeName
from services.gateway.access import Guard, Scope

Run = Callable[..., Any]


def test_a_new_key_opens_a_gateway_that_has_its_entry(run: Run, tmp_path: Path) -> None:
    made = run("key", "ci", "--tenant", "news", "--scope", "read")
    assert made.code == 0
    token = made.err.strip().removeprefix("MOUTHPIECE_TOKEN=")
    assert token not in made.out
    path = tmp_path / "access.toml"
    path.write_text(f"[tenants.news]\n{made.out}")
    guard = Guard(path)
    guard.load()
    caller = guard.caller({"x-api-key": token})
    assert (caller.tenant, caller.name) == ("news", "ci")
    assert caller.scopes == {Scope.READ}


def test_two_keys_are_never_the_same(run: Run) -> None:
    tokens = {re.sub(r"\s", "", run("key", "ci", "--tenant", "news").err) for _ in range(3)}
    assert len(tokens) == 3


def test_a_name_that_would_not_fit_into_a_token_is_refused(run: Run) -> None:
    refused = run("key", "My Key", "--tenant", "news")
    assert refused.code == 2
    assert "a-z" in refused.err


def test_a_scope_that_nothing_takes_is_refused(run: Run) -> None:
    refused = run("key", "ci", "--tenant", "news", "--scope", "root")
    assert refused.code == 2
    assert "read, write, admin" in refused.err


def test_scopes_are_those_of_the_gateway() -> None:
    assert set(get_args(ScopeName)) == set(Scope)
