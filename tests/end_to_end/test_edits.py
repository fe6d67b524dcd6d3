"""An edited text is rendered where it changed, and looks as if all of it had been rendered anew."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from mouthpiece.client import VideoOptions
from mouthpiece.media.probe import decode_audio, decode_frames
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.faces import portrait_file
from tests.support.running_suite import RunningSuite

SENTENCES = (
    "The harbour wakes before the sun is up over the water.",
    "Small boats leave in the dark and come back with the tide.",
    "On the quay a woman sells coffee and warm bread from a cart.",
    "She has stood there every morning for almost thirty years.",
    "Most of the crews know her name, and she knows all of theirs.",
    "By nine o'clock the market halls are loud and full of people.",
    "Children press their noses against the glass of the fish tanks.",
    "A gull walks in through the door as if it owned the place.",
    "Towards noon the traders wash the floor and count their money.",
    "In the evening only the lighthouse keeps anybody company.",
)
SIDE, FPS = 128, Fraction(10)


def hashes(path: Path) -> list[str]:
    return [hashlib.sha256(frame.tobytes()).hexdigest() for frame in decode_frames(path)]


class Editor:
    """Makes lossless little videos of one face, and counts what they reused."""

    def __init__(self, running: RunningSuite, folder: Path) -> None:
        self._client = running.client
        self._folder = folder
        self._face = portrait_file(folder / "face.png")
        self.before = self.make(SENTENCES, "before")

    def make(self, sentences: tuple[str, ...], name: str, edit: str = "", *, anew: bool = False) -> pb.Job:
        options = VideoOptions(
            quality="lossless",
            width=SIDE,
            height=SIDE,
            edit=edit,
            ignore_cache=anew,
            chunk_seconds=7,
            fps=FPS,
        )
        text = " ".join(sentences)
        return self._client.generate(self.path(name), text=text, avatar=self._face, options=options)

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.mp4"

    def edited(self, sentences: tuple[str, ...]) -> pb.Job:
        """Submit an edit, and see that it looks and sounds as when nothing is reused."""
        job = self.make(sentences, "edited", self.before.id)
        self.make(sentences, "anew", self.before.id, anew=True)
        assert hashes(self.path("edited")) == hashes(self.path("anew"))
        assert (decode_audio(self.path("edited"))[0] == decode_audio(self.path("anew"))[0]).all()
        return job


def share(job: pb.Job) -> float:
    return job.result.statistics.cached_frames / job.frames


def with_third(text: str) -> tuple[str, ...]:
    return (*SENTENCES[:2], text, *SENTENCES[3:])


@pytest.fixture(scope="module")
def editor(running: RunningSuite, tmp_path_factory: pytest.TempPathFactory) -> Editor:
    return Editor(running, tmp_path_factory.mktemp("edits"))


NEW = "It has been like this for longer than anybody here can remember."
LONGER = "On the quay a woman sells coffee and warm bread, whatever the weather may be, from a cart."


@pytest.mark.parametrize(
    ("sentences", "spoken"),
    [
        (with_third("On the quay a woman sells coffee and fresh rolls from a cart."), 1),
        (with_third(LONGER), 1),
        (with_third("A woman sells coffee."), 1),
        ((*SENTENCES[:4], NEW, *SENTENCES[4:]), 1),
        ((*SENTENCES[:4], *SENTENCES[5:]), 0),
    ],
    ids=["as long", "longer by 2 s", "shorter by 2 s", "inserted", "deleted"],
)
def test_one_edited_sentence_of_ten_leaves_most_frames_as_they_were(
    editor: Editor, sentences: tuple[str, ...], spoken: int
) -> None:
    job = editor.edited(sentences)
    assert job.result.statistics.sentences - job.result.statistics.cached_sentences == spoken

    assert share(job) >= 0.8


def test_an_edited_ending_needs_no_earlier_job(editor: Editor) -> None:
    job = editor.make((*SENTENCES[:9], "In the evening only the moon keeps anybody company."), "ending")
    assert job.result.statistics.sentences - job.result.statistics.cached_sentences == 1
    assert share(job) >= 0.8
