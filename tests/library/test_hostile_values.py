"""Texts and files that people and programs hand us: read, or refused in our own words, and soon."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from av.error import FFmpegError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from mouthpiece.cli.wish import read_lexicon
from mouthpiece.client.options import parse_deadline, parse_fps
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput, DataLoss, Unmet
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.media.probe import read_movie
from mouthpiece.settings import CONFIG_VARIABLE, CommonSettings, GatewaySettings
from mouthpiece.text.passages import Passages
from mouthpiece.text.script import Script
from mouthpiece.v1 import tts_pb2
from services.gateway.discovery import read_directory
from services.gateway.http.bodies import json_object
from services.gateway.ids import is_job_id, new_job_id
from services.gateway.notices import Kind, Notice, read_notice
from services.gateway.outlook import read_outlook
from services.lipsync.engines.heygem.protocol import Garbled, read_answer
from services.lipsync.engines.wan.chain import Chain, Clip
from services.lipsync.engines.wan.clips import CLIP, LOST
from services.lipsync.engines.wan.workflow import read_workflow
from services.lipsync.wire import parse_color
from services.tts.pronouncing import Unpronounceable, mnemonics
from services.tts.wire import pronunciations
from tests.support.media_chunks import PAL, encode

fuzzed = settings(
    max_examples=50,
    derandomize=True,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

DIGITS = "9" * 5000
DEEP = "[" * 100_000
NOW = datetime(2026, 11, 21, tzinfo=UTC)

pieces = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        [DIGITS, "1", "25", "/", ".", "-", ":", "e9", "nan", "h", "dns:", "a", ",", " ", "#", "=", "\0"]
    ),
)
texts = st.lists(pieces, max_size=6).map("".join)


@fuzzed
@given(texts)
@example(f"dns:a:{DIGITS}")
@example("dns:a:²")
@pytest.mark.parametrize(
    "read",
    [
        read_directory,
        parse_fps,
        parse_color,
        partial(parse_deadline, now=NOW),
    ],
    ids=["directory", "fps", "color", "deadline"],
)
def test_what_is_typed(read: Callable[[str], object], text: str) -> None:
    with suppress(BadInput):
        read(text)


@fuzzed
@given(st.one_of(texts, st.binary(max_size=40).map(lambda data: data.decode("latin-1"))))
@example("j" + "\0" * 25)
@example(new_job_id()[:-1])
def test_page_tokens_and_job_ids(text: str) -> None:
    assert not is_job_id(text)
    assert is_job_id(new_job_id())


notices = st.builds(Notice, st.sampled_from(Kind), texts, st.binary(max_size=4))


@fuzzed
@given(st.one_of(texts, notices.map(Notice.payload)))
def test_notices_of_other_releases(payload: str) -> None:
    with suppress(ValueError):
        read_notice(payload)


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["", "{{prompt}}", "{{x}}", "7"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["code", "msg", "data", "status", "progress", "class_type", "queued", "jobs"]),
            inner,
        ),
    ),
    max_leaves=8,
)
documents = st.one_of(values.map(json.dumps), texts)


@fuzzed
@given(documents)
@example(DEEP)
@example("{" + '"a":{' * 50_000)
@example(json.dumps(json.dumps({"code": 1e308})))
@example('{"code": 1e999}')
def test_what_containers_and_gateways_answer(text: str) -> None:
    read_outlook(text.encode())
    with suppress(Garbled):
        read_answer(text)


@fuzzed
@given(documents)
@example(DEEP)
def test_workflows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "workflow.json"
    path.write_text(text, encoding="utf-8", errors="replace")
    with suppress(Unmet):
        read_workflow(path)


@pytest.mark.parametrize("body", [DEEP, "", "1", '"', "\ud800", '{"a": ' + DIGITS + "}"])
async def test_bodies_that_are_no_objects(body: str) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body.encode(errors="surrogatepass"), "more_body": False}

    with pytest.raises(BadInput):
        await json_object(Request({"type": "http", "method": "POST", "headers": []}, receive))


# ---------------------------------------------------------------- words


@fuzzed
@given(st.lists(texts, max_size=4), st.binary(max_size=20))
def test_dictionaries_of_the_command_line(tmp_path: Path, lines: list[str], rest: bytes) -> None:
    path = tmp_path / "lexicon"
    path.write_bytes("\n".join(lines).encode(errors="replace") + rest)
    with suppress(BadInput):
        read_lexicon(path)


sounds = st.text(alphabet="aəɑːˈˌ./‿ɡg:'͡tʃ X\0", max_size=8)


@fuzzed
@given(st.lists(st.builds(tts_pb2.Pronunciation, word=pieces, alias=pieces, ipa=sounds), max_size=4), texts)
def test_dictionaries_of_requests(entries: list[tts_pb2.Pronunciation], text: str) -> None:
    with suppress(BadInput):
        script = Script(text, pronunciations=pronunciations(entries))
        document = script.document()
        for passage in Passages(script, document, "en"):
            assert 0 <= passage.source.first <= passage.source.end <= len(text)


@fuzzed
@given(sounds)
def test_sounds(ipa: str) -> None:
    with suppress(Unpronounceable):
        mnemonics(ipa, {"a": "a", "ə": "@", "ɑː": "A:", "t": "t", "tʃ": "tS"})


_MARKS = [
    "$",
    "\\frac{",
    "}",
    "^",
    "√",
    "1",
    "9" * 30,
    ".",
    ",",
    "€",
    "kg",
    "http://",
    "a@b",
    "XIV",
    "(",
    ")",
    "\n\n",
]


@fuzzed
@given(st.lists(st.one_of(st.sampled_from(_MARKS), st.text(max_size=3)), max_size=12).map("".join))
@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_passages_hold_places_in_their_text(language: str, text: str) -> None:
    script = Script(text)
    document = script.document()
    at = 0
    for passage in Passages(script, document, language):
        assert at <= passage.source.first <= passage.source.end <= len(text)
        at = passage.source.first


@pytest.mark.parametrize(
    "mark", ["$", "9", ".", "1,", "(", "√", "\\frac{1}{", "a@", "A.", "²", "e\u0301", "http://"]
)
@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_long_runs_of_one_mark_are_cut_into_bounded_passages(language: str, mark: str) -> None:
    script = Script(mark * 1000)
    for passage in Passages(script, script.document(), language):
        assert len(passage.text) < 5000


# ---------------------------------------------------------------- settings


_SETTINGS = [
    *(
        "data = ",
        "[gateway]\n",
        "port = ",
        "workers = ",
        "[",
        "]",
        "\n",
        "1",
        "-1",
        "70000",
        '"a"',
        "1e999",
        "nan",
    ),
    *("1979-05-27", "tls", "= ", "keep_days = ", "true", "'", DIGITS),
]


@fuzzed
@given(
    st.one_of(
        st.binary(max_size=40),
        st.lists(st.sampled_from(_SETTINGS), max_size=9).map(lambda x: "".join(x).encode()),
    )
)
@pytest.mark.parametrize("kind", [CommonSettings, GatewaySettings])
def test_files_of_settings(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: type[CommonSettings | GatewaySettings],
    content: bytes,
) -> None:
    path = tmp_path / "mouthpiece.toml"
    path.write_bytes(content)
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    with suppress(BadInput):
        kind.read()


# ---------------------------------------------------------------- movies and chains


def spoilt(content: bytes, seed: int) -> bytes:
    """Some bytes changed, a piece missing, or the end cut off."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice((1, 3, 10))):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
            case _:
                del data[at : at + chance.randrange(1, 40)]
    return bytes(data[: chance.randrange(1, len(data) + 1)] if chance.random() < 0.2 else data)


def test_chunks_of_workers_with_bytes_changed(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", range(10), PAL).read_bytes()
    path = tmp_path / "chunk.mp4"
    for seed in range(100):
        path.write_bytes(spoilt(whole, seed))
        with suppress(FFmpegError):
            read_movie(path)
        with suppress(BadInput), Merger(tmp_path / "movie.mp4", MergeFormat(PAL, 64, 48)) as merger:
            merger.add_speech(Span(0, 19_200), bytes(38_400))
            merger.add_chunk(Span(0, 10), path)
            merger.finish(10, 19_200, "{}")


def test_what_chains_hand_over_with_bytes_changed(tmp_path: Path) -> None:
    chain = Chain(3)
    chain.add(Clip(np.zeros((CLIP - LOST, 2, 2, 3), np.uint8), np.ones(4, np.float32)))
    chain.save(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for seed in range(100):
        (tmp_path / "file").write_bytes(spoilt(whole, seed))
        with suppress(DataLoss):
            Chain.load(tmp_path / "file")
