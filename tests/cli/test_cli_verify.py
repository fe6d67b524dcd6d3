"""`mouthpiece verify` on files that are signed, unsigned, changed, or no videos at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mouthpiece.media.boxes import box_of
from mouthpiece.media.credentials import sign_movie
from mouthpiece.media.tags import PROVENANCE, tag_box
from services.merger.signing import identity_of
from tests.cli.conftest import Run
from tests.support.media_signing import authority, signer

ISSUER = authority()
STUDIO = signer(ISSUER)
RECORD = {
    "generator": "mouthpiece 9",
    "job_id": "j1",
    "engine": "viseme",
    "engine_version": "v2",
    "weights": [{"name": "lips.pt", "sha256": "ab" * 32}],
    "speakers": [{"engine": "espeak", "engine_version": "1.52", "voice": "en"}],
    "voice_reference_sha256": "cd" * 32,
    "consent_reference": "contract [7]",
    "label": {"text": "AI"},
}


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    """The least that is an MP4 with a record."""
    path = tmp_path / "unsigned.mp4"
    index = box_of(b"moov", tag_box({PROVENANCE: json.dumps(RECORD)}))
    path.write_bytes(box_of(b"ftyp", b"isom", bytes(4), b"isom") + index + box_of(b"mdat", bytes(99)))
    return path


@pytest.fixture
def signed(unsigned: Path) -> Path:
    path = unsigned.with_name("signed.mp4")
    identity, _ = identity_of(STUDIO.pem + ISSUER.pem, STUDIO.key_pem)
    sign_movie(unsigned, path, "", dict(RECORD), identity)
    return path


@pytest.mark.parametrize(
    "record",
    [
        "[" * 100_000,
        f'{{"label": {{"opacity": 1{"0" * 400}}}}}',
        '{"generator": "\\ud800", "label": []}',
    ],
    ids=["deep", "large", "odd"],
)
def test_a_record_that_is_none_is_passed_over(run: Run, tmp_path: Path, record: str) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(
        box_of(b"ftyp", b"isom", bytes(4), b"isom") + box_of(b"moov", tag_box({PROVENANCE: record}))
    )
    for options, told in (((), "not signed"), (("--json",), '"unsigned"')):
        result = run("verify", str(path), *options)
        assert result.code == 1
        assert told in result.out


def test_a_signed_video_is_intact_and_says_what_made_it(run: Run, signed: Path) -> None:
    result = run("verify", str(signed))
    assert result.code == 0
    assert "signed.mp4  intact" in result.out
    for fact in (
        "Test studio, Tests",
        "--authority",
        "with a face, voice or recording that was given",
        "mouthpiece 9 for job j1",
        "viseme v2, lips.pt abababababab…",
        "voice en of espeak 1.52",
        "voice of cdcdcdcdcdcd…",
        "consent contract [7]",
        "labelled “AI”",
    ):
        assert fact in result.out


def test_an_authority_vouches_for_the_signer_or_not(run: Run, signed: Path, tmp_path: Path) -> None:
    for name, issuer in (("own", ISSUER), ("other", authority("Other"))):
        (tmp_path / name).write_bytes(issuer.pem)
    own = run("verify", str(signed), "--authority", str(tmp_path / "own"))
    assert (own.code, "the authority vouches" in own.out) == (0, True)
    other = run("verify", str(signed), "--authority", str(tmp_path / "other"))
    assert (other.code, "does not vouch" in other.out) == (1, True)


def test_a_changed_video_is_told_with_what_does_not_match(run: Run, signed: Path) -> None:
    signed.write_bytes(signed.read_bytes()[:-1] + b"!")
    result = run("verify", str(signed))
    assert result.code == 1
    assert "changed since it was signed" in result.out
    assert "mismatch" in result.out


def test_an_unsigned_video_is_not_taken_at_its_word(run: Run, unsigned: Path) -> None:
    result = run("verify", str(unsigned))
    assert result.code == 1
    assert "not signed" in result.out
    assert "anybody may have written" in result.out
    assert "viseme v2" in result.out


def test_programs_get_the_whole_record(run: Run, signed: Path) -> None:
    result = run("verify", str(signed), "--json")
    told = json.loads(result.out)
    assert (result.code, told["standing"], told["signer"]) == (0, "intact", "Test studio")
    assert told["provenance"] == RECORD


def test_what_is_no_video_is_wrong_use(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no video")
    for wrong in ("text", "nowhere"):
        result = run("verify", str(tmp_path / wrong))
        assert result.code == 2
        assert result.err.startswith(f"mouthpiece: FILE: {tmp_path / wrong} ")
