"""Finished movies are signed with the operator's certificate, and what was signed shows any change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc.aio
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from mouthpiece.artifacts import Artifact, ArtifactStore
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput, Unavailable
from mouthpiece.media.boxes import boxes
from mouthpiece.media.credentials import Credentials, Standing, examine
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.media.probe import index_comes_first
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.convert import artifact_to_proto, rational_to_proto, span_to_proto
from mouthpiece.rpc.server import serving
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import CommonSettings, MergerSettings
from mouthpiece.v1 import merger_pb2 as pb
from mouthpiece.v1.common_pb2 import VideoFormat
from mouthpiece.v1.merger_pb2_grpc import MergerServiceStub
from services.merger.__main__ import program
from services.merger.signing import CERTIFICATE, KEY, Signatory
from tests.support.media_chunks import PAL, encode, samples_for, tone
from tests.support.media_packets import packets
from tests.support.media_signing import OPENSSL, Pair, authority, signer, time_stamping, written

RECORD = {"generator": "mouthpiece 0", "engine": "viseme", "chunks": [{"frames": {"end": "25"}}]}
SAMPLES = samples_for(25, PAL)
LIMIT = 20
NOBODY = "http://127.0.0.1:1/"
"""A time-stamping authority that does not answer."""

ISSUER = authority()
STUDIO = signer(ISSUER)


def movie(path: Path, *, fragmented: bool = False) -> Path:
    """A second of video, unsigned."""
    chunk = encode(path.with_name("chunk.mp4"), range(25), height=64)
    with Merger(path, MergeFormat(PAL, 64, 64), fragmented=fragmented) as merger:
        merger.add_speech(Span(0, SAMPLES), tone(SAMPLES).tobytes())
        merger.add_chunk(Span(0, 25), chunk)
        merger.finish(25, SAMPLES, json.dumps(RECORD))
    return path


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return movie(tmp_path_factory.mktemp("unsigned") / "movie.mp4")


@pytest.fixture(scope="module")
def signed(unsigned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    target = folder / "signed.mp4"
    assert signatory(folder).sign(unsigned, target, "A title", dict(RECORD)) == "Test studio"
    return target


def signatory(folder: Path, own: Pair = STUDIO, timestamps: str = "") -> Signatory:
    return Signatory(*written(folder, own, ISSUER), timestamps)


def changed(signed: Path, target: Path, place: int) -> Path:
    content = bytearray(signed.read_bytes())
    content[place] ^= 1
    target.write_bytes(content)
    return target


class TestASignedMovie:
    def test_tells_who_signed_it_and_what_made_it(self, signed: Path) -> None:
        found = examine(signed)
        assert (found.standing, found.signer, found.organization) == (Standing.INTACT, "Test studio", "Tests")
        assert found.record == RECORD
        assert found.source == "trainedAlgorithmicMedia"

    def test_is_trusted_by_those_who_trust_the_authority(self, signed: Path) -> None:
        assert examine(signed, ISSUER.pem) == Credentials(
            Standing.TRUSTED, RECORD, "Test studio", "Tests", "", "trainedAlgorithmicMedia"
        )
        assert examine(signed, authority("Somebody else").pem).standing is Standing.INTACT

    def test_has_the_packets_of_the_unsigned_one_and_its_index_in_front(
        self, signed: Path, unsigned: Path
    ) -> None:
        assert packets(signed.read_bytes()) == packets(unsigned.read_bytes())
        assert index_comes_first(signed)
        assert 0 < signed.stat().st_size - unsigned.stat().st_size < 16_384

    @pytest.mark.parametrize("what", ["picture", "index", "record"])
    def test_that_was_changed_is_broken(self, signed: Path, tmp_path: Path, what: str) -> None:
        content = signed.read_bytes()
        places = {"picture": -100, "index": content.index(b"stts") + 12, "record": content.index(b"viseme")}
        found = examine(changed(signed, tmp_path / "changed.mp4", places[what]))
        assert found.standing is Standing.BROKEN
        assert any("hash" in problem for problem in found.problems)

    def test_differs_from_any_other(self, signed: Path, unsigned: Path, tmp_path: Path) -> None:
        signatory(tmp_path).sign(unsigned, tmp_path / "again.mp4", "A title", dict(RECORD))
        assert (tmp_path / "again.mp4").read_bytes() != signed.read_bytes()


def test_a_movie_in_fragments_is_signed_as_a_whole(tmp_path: Path) -> None:
    plain, signed = movie(tmp_path / "movie.mp4", fragmented=True), tmp_path / "signed.mp4"
    signatory(tmp_path / "files").sign(plain, signed, "A title", dict(RECORD))
    assert examine(signed, ISSUER.pem).standing is Standing.TRUSTED
    assert packets(signed.read_bytes()) == packets(plain.read_bytes())
    with signed.open("rb") as file:
        parts = [(box.kind, box.end) for box in boxes(file)]
    assert [kind for kind, _ in parts] == [b"ftyp", b"uuid", b"moov", b"sidx", b"moof", b"mdat"]
    for _, end in parts[1:]:
        assert examine(changed(signed, tmp_path / "changed.mp4", end - 3)).standing is Standing.BROKEN


def test_what_was_made_of_a_given_face_is_a_composite(unsigned: Path, tmp_path: Path) -> None:
    record = {**RECORD, "avatar_sha256": "a" * 64}
    signatory(tmp_path).sign(unsigned, tmp_path / "signed.mp4", "", record)
    assert examine(tmp_path / "signed.mp4").source == "compositeWithTrainedAlgorithmicMedia"


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_a_time_stamp_says_when_it_was_signed(unsigned: Path, tmp_path: Path) -> None:
    with time_stamping(tmp_path / "clock", ISSUER) as url:
        signatory(tmp_path / "files", timestamps=url).sign(unsigned, tmp_path / "signed.mp4", "", {})
    found = examine(tmp_path / "signed.mp4", ISSUER.pem)
    assert found.standing is Standing.TRUSTED
    assert abs(datetime.fromisoformat(found.signed_at) - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_unsigned_movie_tells_what_made_it_and_no_more(unsigned: Path, tmp_path: Path) -> None:
    assert examine(unsigned) == Credentials(Standing.UNSIGNED, RECORD)
    (tmp_path / "text.mp4").write_text("no movie")
    with pytest.raises(BadInput, match="is not an MP4"):
        examine(tmp_path / "text.mp4")


class TestWhatCannotSign:
    """Is refused at the start, with the setting that is wrong."""

    @pytest.mark.parametrize(
        ("own", "said"),
        [
            (signer(ISSUER, days=-1), "expired on"),
            (signer(ISSUER, signs=False), "lacks the key usage digitalSignature"),
            (signer(ISSUER, purpose=ExtendedKeyUsageOID.SERVER_AUTH), "extended key usage such as"),
        ],
    )
    def test_a_certificate_that_may_not(self, tmp_path: Path, own: Pair, said: str) -> None:
        with pytest.raises(BadInput, match=said) as caught:
            signatory(tmp_path, own)
        assert caught.value.violations[0].field == CERTIFICATE

    def test_a_key_of_another_certificate(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="not the key of") as caught:
            signatory(tmp_path, Pair(STUDIO.certificate, signer(ISSUER).key))
        assert caught.value.violations[0].field == KEY

    def test_files_that_are_not_there_or_hold_something_else(self, tmp_path: Path) -> None:
        chain, key = written(tmp_path, STUDIO, ISSUER)
        with pytest.raises(BadInput, match="No such file"):
            Signatory(tmp_path / "nowhere.pem", key)
        for wrong in ((chain, chain), (key, key)):
            with pytest.raises(BadInput, match="holds no PEM"):
                Signatory(*wrong)


def replaced(folder: Path, own: Pair, moment: int) -> None:
    for path in written(folder, own, ISSUER):
        os.utime(path, ns=(moment, moment))


def test_files_that_were_replaced_sign_from_the_next_movie_on(unsigned: Path, tmp_path: Path) -> None:
    signing = signatory(tmp_path / "files")
    replaced(tmp_path / "files", signer(ISSUER, "Another studio"), 1)
    assert signing.sign(unsigned, tmp_path / "signed.mp4", "", {}) == "Another studio"
    assert examine(tmp_path / "signed.mp4").signer == "Another studio"


def test_files_that_are_wrong_leave_the_last_right_ones_in_force(
    unsigned: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    signing = signatory(tmp_path / "files")
    replaced(tmp_path / "files", signer(ISSUER, "Old studio", days=-1), 1)
    assert signing.sign(unsigned, tmp_path / "signed.mp4", "", {}) == "Test studio"
    assert "expired" in caplog.text


# ---------------------------------------------------------------- the service


async def merged(folder: Path, **settings: object) -> tuple[pb.MergeResult, ArtifactStore]:
    """What a merger that signs makes of a job of one chunk."""
    common = CommonSettings(data=folder / "data")
    chain, key = written(folder / "files", STUDIO, ISSUER)
    own = MergerSettings(signing_certificate=chain, signing_key=key, **settings)  # type: ignore[arg-type]
    store = ArtifactStore.open(common.artifacts_url)
    chunk = await store.put_file(encode(folder / "chunk.mp4", range(25), height=64))
    async with (
        serving(program(common, own), "127.0.0.1", 0, 5) as running,
        dial(running.address) as channel,
    ):
        try:
            messages = [m async for m in MergerServiceStub(channel).Merge(job(chunk), timeout=LIMIT)]
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
    return messages[-1].result, store


def job(chunk: Artifact) -> Iterator[pb.MergeRequest]:
    form = VideoFormat(fps=rational_to_proto(PAL), width=64, height=64)
    yield pb.MergeRequest(header=pb.MergeHeader(job_id="j", format=form, title="Signed"))
    frames, samples = span_to_proto(Span(0, 25)), span_to_proto(Span(0, SAMPLES))
    yield pb.MergeRequest(speech=pb.MergeSpeech(samples=samples, pcm=tone(SAMPLES).tobytes()))
    yield pb.MergeRequest(chunk=pb.MergeChunk(frames=frames, chunk=artifact_to_proto(chunk)))
    yield pb.MergeRequest(end=pb.MergeEnd(frames=25, samples=SAMPLES, provenance_json=json.dumps(RECORD)))


async def test_the_service_signs_what_it_finishes(tmp_path: Path) -> None:
    result, store = await merged(tmp_path)
    assert (result.signed_by, list(result.warnings)) == ("Test studio", [])
    async with store.local(result.video.sha256) as path:
        found = examine(path, ISSUER.pem)
    assert (found.standing, found.record) == (Standing.TRUSTED, RECORD)


async def test_a_movie_that_cannot_be_signed_is_not_handed_out(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be signed"):
        await merged(tmp_path, signing_timestamps=NOBODY)


async def test_a_movie_that_cannot_be_signed_goes_out_unsigned_where_that_is_allowed(tmp_path: Path) -> None:
    result, store = await merged(tmp_path, signing_timestamps=NOBODY, signing_failure="deliver")
    assert result.signed_by == ""
    assert "could not be signed" in result.warnings[0]
    async with store.local(result.video.sha256) as path:
        assert examine(path).standing is Standing.UNSIGNED


@pytest.mark.parametrize("name", ["signing_certificate", "signing_key"])
async def test_half_of_the_settings_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    half = MergerSettings(**{name: tmp_path / "file.pem"})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="needed together"):
        async with serving(program(CommonSettings(data=tmp_path), half), "127.0.0.1", 0, 5):
            pass
