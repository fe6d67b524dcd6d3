"""The engines: cuts cannot be seen, surroundings stay, encoded faces are kept, models take turns."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import clip_index
from mouthpiece.errors import Reason, Unmet
from mouthpiece.settings import LipSyncSettings
from services.lipsync.engines import create_engine
from services.lipsync.engines.wav2lip.checkpoint import digest
from services.lipsync.engines.wav2lip.clip import Clip
from services.lipsync.engines.wav2lip.compute import load_network
from services.lipsync.engines.wav2lip.engine import VARIANTS, Wav2LipEngine
from services.lipsync.engines.wav2lip.network import build
from services.lipsync.engines.wav2lip.openvino import openvino_functions
from services.lipsync.engines.wav2lip.processor import (
    BATCH,
    Functions,
    ProcessorNetwork,
    ProcessorPainter,
    torch_functions,
)
from services.lipsync.engines.wav2lip.softening import softened
from tests.support.wav2lip_rendering import HEIGHT, WIDTH, babble, clip, render
from tests.support.wav2lip_weights import DATA, seeded_weights

SPEECH = babble(12)


def folded(kind: str) -> Functions:
    network = build(seeded_weights())
    network.fold()
    return openvino_functions(network, 1) if kind == "openvino" else torch_functions(network, 1)


@pytest.mark.parametrize("kind", ["openvino", "torch"])
def test_a_folded_network_gives_the_published_output_wherever_a_frame_stands(kind: str) -> None:
    functions = folded(kind)
    with np.load(DATA / "w2l_net_public.npz") as golden:
        mel, face, out = (golden[name] for name in ("mel", "face", "out"))
    made = functions.decode(mel, functions.encode(face))
    assert float(np.abs(made - out).max()) <= 2e-5
    turned = functions.decode(mel[::-1].copy(), functions.encode(face[::-1].copy()))
    assert float(np.abs(turned[::-1] - made).max()) <= 2e-6


@pytest.mark.parametrize("frames", [1, 5])
def test_any_cut_gives_the_same_frames(engine: Wav2LipEngine, frames: int) -> None:
    avatar = clip(frames)
    whole = render(engine, avatar, SPEECH, [8, 17])
    parts = render(engine, avatar, SPEECH, [8, 11, 12, 17])
    assert len(whole) == 9
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))
    assert len({frame.tobytes() for frame in whole}) == 9


def test_nothing_around_the_face_is_touched(engine: Wav2LipEngine) -> None:
    avatar = clip(5)
    boxes = Clip.of(avatar).boxes
    for number, frame in enumerate(render(engine, avatar, SPEECH, [0, 6])):
        index = clip_index(number, 5)
        box, own = boxes[index], avatar.frame_i420(index)
        changed = frame != own
        rows, columns = np.nonzero(changed[:HEIGHT])
        assert box.x0 <= columns.min()
        assert columns.max() < box.x1
        assert box.y0 <= rows.min()
        assert rows.max() < box.y1
        for plane in changed[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2):
            plane[box.y0 // 2 : box.y1 // 2, box.x0 // 2 : box.x1 // 2] = False
            assert not plane.any()


def test_boxes_follow_the_face_and_stay_in_the_picture() -> None:
    boxes = Clip.of(clip(50)).boxes
    assert all(0 <= box.x0 < box.x1 <= WIDTH and 0 <= box.y0 < box.y1 <= HEIGHT for box in boxes)
    assert all(edge % 2 == 0 for box in boxes for edge in (box.x0, box.y0, box.x1, box.y1))
    middles = np.array([box.x0 + box.x1 for box in boxes]) / 2
    assert (np.diff(middles) >= 0).all()
    assert middles[20] - middles[0] == pytest.approx(30, abs=4)


def test_lips_depend_on_the_speech(engine: Wav2LipEngine) -> None:
    silent = SpeechSlice(SPEECH.samples, bytes(len(SPEECH.pcm)))
    spoken, still = (render(engine, clip(1), speech, [12, 13])[0] for speech in (SPEECH, silent))
    assert not np.array_equal(spoken, still)


class Counted:
    """Functions that are quick to compute, and count how often faces are encoded."""

    def __init__(self) -> None:
        self.encoded = 0

    def network(self) -> ProcessorNetwork:
        def encode(
            faces: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
        ) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
            self.encoded += 1
            return [faces, faces[:, :, ::8, ::8].copy()]

        return ProcessorNetwork(Functions(encode, lambda mels, features: features[0][:, 3:]), "0" * 64)


def paint(painter: ProcessorPainter, first: int) -> list[bytes]:
    mels = np.zeros((BATCH, 1, 80, 16), np.float32)
    parts = painter.paint(mels, range(first, first + BATCH), range(BATCH))
    return [part.tobytes() for part in parts]


def test_faces_are_encoded_once_and_kept_beside_the_avatar(tmp_path: Path) -> None:
    own = Clip.of(dataclasses.replace(clip(12), folder=tmp_path))
    counted = Counted()
    first = paint(counted.network().painter(own), 2)
    assert counted.encoded == 2
    assert len(list(tmp_path.iterdir())) == 2
    assert paint(counted.network().painter(own), 2) == first
    assert counted.encoded == 2
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:1000])
    assert paint(counted.network().painter(own), 2) == first
    assert counted.encoded == 4


def test_an_avatar_that_vanished_is_painted_all_the_same(tmp_path: Path) -> None:
    kept, gone = clip(5), dataclasses.replace(clip(5), folder=tmp_path / "gone")
    painted = [paint(Counted().network().painter(Clip.of(avatar)), 0) for avatar in (kept, gone)]
    assert painted[0] == painted[1]


def test_memory_for_encoded_faces_is_bounded() -> None:
    counted = Counted()
    painter = counted.network().painter(Clip.of(clip(100)))
    for _ in range(2):
        for first in range(0, 96, BATCH):
            paint(painter, first)
    assert counted.encoded == 48


def test_models_take_turns_by_the_number_of_the_frame(engine: Wav2LipEngine, weights: Path) -> None:
    settings = LipSyncSettings(weights=weights)
    mixed = Wav2LipEngine(VARIANTS["wav2lip-mixed"], settings)
    mixed.load()
    plain = Wav2LipEngine(VARIANTS["wav2lip-nogan"], settings)
    plain.load()
    assert len({mixed.info.version, plain.info.version, engine.info.version}) == 3
    fps, avatar = Fraction(5), clip(1, Fraction(5))
    gan, nogan = (render(one, avatar, SPEECH, [48, 52], fps) for one in (engine, plain))
    for cuts in ([48, 52], [48, 49, 52]):
        made = render(mixed, avatar, SPEECH, cuts, fps)
        expected = [*gan[:2], *nogan[2:]]
        assert all(np.array_equal(one, other) for one, other in zip(made, expected, strict=True))
    assert not np.array_equal(gan[3], nogan[3])


def test_a_soft_paste_keeps_the_edges_and_the_upper_face() -> None:
    own = np.full((60 * 3 // 2, 40), 100, np.uint8)
    mixed = softened(own, np.full_like(own, 200))
    luma = mixed[:60]
    assert (luma[:19] == 100).all()
    assert luma[:, 0].max() < 110
    assert (luma[36:46, 12:28] == 200).all()
    assert (np.abs(np.diff(luma.astype(int), axis=0)) < 30).all()
    chroma = mixed[60:].reshape(2, 30, 20)
    assert np.array_equal(chroma[0], chroma[1])
    assert chroma[0, 20, 10] == 200


def test_a_soft_paste_is_another_version_and_seam_free_too(weights: Path, engine: Wav2LipEngine) -> None:
    soft = Wav2LipEngine(VARIANTS["wav2lip"], LipSyncSettings(weights=weights, wav2lip_soft_paste=True))
    soft.load()
    assert soft.info.version != engine.info.version
    avatar = clip(3)
    whole, parts = (render(soft, avatar, SPEECH, cuts) for cuts in ([0, 6], [0, 1, 5, 6]))
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))
    box = Clip.of(avatar).boxes[0]
    top = slice(box.y0, box.y0 + box.height // 4), slice(box.x0, box.x1)
    assert np.array_equal(whole[0][top], avatar.frame_i420(0)[top])


def test_engines_of_a_process_share_their_networks(weights: Path, engine: Wav2LipEngine) -> None:
    path = weights / "wav2lip_gan.pth"
    known = load_network.cache_info().misses
    Wav2LipEngine(VARIANTS["wav2lip"], LipSyncSettings(weights=weights)).load()
    assert load_network(path, digest(path), 1).batch == BATCH
    assert load_network.cache_info().misses == known


@pytest.mark.parametrize(("name", "file"), [("wav2lip", "gan"), ("wav2lip-nogan", "nogan")])
def test_a_missing_checkpoint_is_named_with_its_setting(tmp_path: Path, name: str, file: str) -> None:
    with pytest.raises(Unmet, match=f"MOUTHPIECE_LIPSYNC_WAV2LIP_{file.upper()}") as caught:
        create_engine(name, LipSyncSettings(weights=tmp_path)).load()
    assert caught.value.reason is Reason.WEIGHTS_MISSING


def test_a_checkpoint_that_is_named_goes_before_those_in_the_folder(weights: Path, tmp_path: Path) -> None:
    settings = LipSyncSettings(weights=weights, wav2lip_gan=tmp_path / "mine.pth")
    with pytest.raises(Unmet, match=r"mine\.pth"):
        create_engine("wav2lip", settings).load()
    (tmp_path / "mine.pth").write_bytes(b"nothing of the kind")
    with pytest.raises(Unmet, match="neither a zip"):
        create_engine("wav2lip", settings).load()
