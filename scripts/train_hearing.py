"""Teaches the network of `services/lipsync/engines/viseme/hearing.py` what a mouth does, from sound alone.

    OMP_NUM_THREADS=1 python scripts/train_hearing.py

The lessons are synthesized: made-up words and numbers in some thirty languages, spoken by espeak-ng with many
voices, then sent through rooms, microphones, lines and noise. The phonemes of each are known, and so is what
the mouth does with them (`pronounce`). Two languages are kept out of the lessons: the report is about those.

Takes about three minutes and 1.5 GB, and writes `hearing.npz`. Run again in a fresh process it writes the
same bytes, with the same versions of espeak-ng and numpy on the same kind of processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import soxr
from scipy import signal

from mouthpiece.core.speech import Phoneme, SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span
from services.lipsync.engines.viseme import hearing
from services.lipsync.engines.viseme.articulation import pronounce
from services.lipsync.engines.viseme.visemes import Channel
from services.tts import articulation, espeak
from services.tts.voices import voice_for_language

Floats = npt.NDArray[np.float64]
Weights = list[npt.NDArray[np.float32]]

SEED = 20
LESSONS, EXAMS = 1000, 60
HIDDEN = 96, 48
EPOCHS, BATCH = 6, 512
FASTEST_LEARNING = 2e-3

SYLLABLES = {
    "en-us": (
        "b p m f v t d k g s sh ch l r w h th n j y br pl st sp fl kr gr sw tr",
        "a e i o u ee oo ay ow oy ar er igh ou",
        "n m t k s p b l d g f th ng sh st",
    ),
    "en-gb": (
        "b p m f v t d k g s sh ch l r w h th n j y br pl st sp fl",
        "a e i o u ee oo ay ow oy ar or igh",
        "n m t k s p b l d g f th ng",
    ),
    "de": (
        "b p m f w t d k g s sch z l r h n j br pfl st sp tr",
        "a e i o u ä ö ü ei au eu ie aa oo",
        "n m t k s p l r ch f ng tz",
    ),
    "fr": (
        "b p m f v t d k g s ch l r n j br pl tr",
        "a é è i o ou u eu an on in oi au",
        "ne me te que se pe le re ge f",
    ),
    "es": ("b p m f v t d c g s ch l r n ll ñ br pl tr j", "a e i o u ia ie ue", "n s l r d - - -"),
    "it": ("b p m f v t d c g s sc l r n gn br pr tr z", "a e i o u ia io uo", "n l r s - - - -"),
    "ru": (
        "б п м ф в т д к г с ш ч л р н ж з х ц бр пл ст",
        "а е и о у ы э ю я ё",
        "н м т к с п л р в ш й -",
    ),
    "pl": ("b p m f w t d k g s sz cz l r n ż ź ć ł br pl st", "a e i o u y ą ę ó", "n m t k s p l r w -"),
    "uk": ("б п м ф в т д к г с ш ч л р н ж з х ц", "а е и о у і є ю я", "н м т к с п л р в -"),
    "tr": ("b p m f v t d k g s ş ç l r n c y h z", "a e ı i o ö u ü", "n m t k s p l r z ş - -"),
    "hu": (
        "b p m f v t d k g sz s cs l r n zs gy ny h z",
        "a á e é i o ó ö ő u ú ü ű",
        "n m t k s p l r z -",
    ),
    "fi": ("p m v t k s l r n j h", "a ä e i o ö u y aa ää ii uu ie uo yö", "n s t l r - - -"),
    "pt-br": ("b p m f v t d c g s ch l r n lh nh br pl tr", "a e i o u ã ão ei ou é ó", "s r l m - - - -"),
    "nl": (
        "b p m f v t d k g s sch l r n w h z br st",
        "a e i o u aa ee oo uu ij ui eu oe",
        "n m t k s p l r f",
    ),
    "sv": ("b p m f v t d k g s sj l r n h j br st", "a e i o u å ä ö y", "n m t k s p l r g ng"),
    "sw": ("b p m f v t d k g s sh ch l r n ny h z w mb nd", "a e i o u", "-"),
    "hi": ("ब प म फ व त द क ग स श च ल र न ज ह भ ध", "- ा ि ी ु ू े ै ो ौ", "न म त क स - - -"),
    "el": ("β π μ φ τ δ κ γ σ θ λ ρ ν ζ χ μπ ντ", "α ε ι ο ου ει αι", "ν ς - - -"),
}
"""Beginnings, vowels and ends of made-up syllables; "-" is nothing."""

NUMBERS_ONLY = ("zh", "ja", "ko", "ar", "vi", "he", "id", "ro", "cs", "da", "fa", "ta", "ka", "lv", "bn")
"""Languages whose spelling is not made up easily, but in which numbers can be read."""

KEPT_OUT = ("pl", "uk")
MEN = ("m1", "m2", "m3", "m4", "m5", "m7", "m8", "klatt2", "klatt3", "klatt4", "croak")
WOMEN = ("f1", "f2", "f3", "f4", "f5")
VARIANTS = ("", *MEN, *WOMEN)


@dataclass(frozen=True)
class Lesson:
    """What the network gets, (hops, INPUTS), and what it should say to it, (hops, CHANNELS)."""

    inputs: npt.NDArray[np.float16]
    wanted: npt.NDArray[np.float16]


def main() -> None:
    """Make lessons, learn, report, write."""
    rng = np.random.default_rng(SEED)
    languages = [language for language in (*SYLLABLES, *NUMBERS_ONLY) if language not in KEPT_OUT]
    lessons = join(lesson(languages[n % len(languages)], rng) for n in range(LESSONS))
    exams = join(lesson(KEPT_OUT[n % len(KEPT_OUT)], rng) for n in range(EXAMS))
    print(f"{len(lessons.inputs) / 6000:.0f} minutes of lessons")
    network = learn(lessons, rng)
    network = network._replace(stretch=stretches(network, exams))
    report(network, exams)
    write(network)


# Speech ----------------------------------------------------------------------------------------------------


def lesson(language: str, rng: np.random.Generator) -> Lesson:
    """One utterance, as a microphone might have got it."""
    variant = str(rng.choice(VARIANTS))
    file = voice_for_language(language).file + (f"+{variant}" if variant else "")
    manner = espeak.Manner(
        rate=int(rng.integers(120, 230)), pitch=int(rng.integers(20, 80)), melody=int(rng.integers(20, 90))
    )
    utterance = espeak.speak(invented(language, rng), file, manner)
    sound, phonemes = framed(utterance.pcm, articulation.phonemes(utterance), rng)
    return taken(recorded(sound, rng), phonemes)


def invented(language: str, rng: np.random.Generator) -> str:
    """Something to say."""
    if language not in SYLLABLES:
        return ", ".join(str(rng.integers(1, 10 ** rng.integers(1, 8))) for _ in range(4)) + "."
    words = [made_up(language, rng) for _ in range(rng.integers(5, 11))]
    if rng.random() < 0.5:
        words[len(words) // 2] += ","
    if rng.random() < 0.3:
        words.insert(1, str(rng.integers(1, 9999)))
    return " ".join(words) + str(rng.choice([".", "?", "!"]))


def made_up(language: str, rng: np.random.Generator) -> str:
    """A word of one to three syllables."""
    begins, vowels, ends = (signs.split() for signs in SYLLABLES[language])
    count = int(rng.integers(1, 4))
    word = ""
    for index in range(count):
        closed = index == count - 1 or rng.random() < 0.5
        word += rng.choice(begins) + rng.choice(vowels) + (rng.choice(ends) if closed else "")
    return word.replace("-", "")


def framed(
    pcm: espeak.Pcm, phonemes: Sequence[Phoneme], rng: np.random.Generator
) -> tuple[Floats, list[Phoneme]]:
    """The utterance at 48 kHz between two pauses, played a little slower or faster: another body size."""
    speed = rng.uniform(0.88, 1.15)
    sound = soxr.resample(pcm.astype(np.float64), espeak.RATE * speed, SPEECH_RATE)
    before, after = (int(rng.uniform(0.05, 0.7) * SPEECH_RATE) for _ in range(2))
    moved = [
        Phoneme(p.ipa, Span(before + round(p.samples.first / speed), before + round(p.samples.end / speed)))
        for p in phonemes
    ]
    end = before + len(sound) + after
    silences = Phoneme("", Span(0, before)), Phoneme("", Span(moved[-1].samples.end, end))
    return np.pad(sound, (before, after)), [silences[0], *moved, silences[1]]


def recorded(sound: Floats, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """The sound after a room, a microphone, a line, noise and somebody's idea of a level."""
    if rng.random() < 0.5:
        sound = signal.fftconvolve(sound, room(rng))[: len(sound)]
    sound = signal.fftconvolve(sound, line(rng), mode="same")
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    if rng.random() < 0.7:
        hiss = signal.lfilter([1.0], [1.0, -rng.uniform(0.0, 0.97)], rng.normal(size=len(sound)))
        sound = sound + hiss / np.sqrt(np.mean(hiss**2)) * 10 ** (-rng.uniform(8.0, 45.0) / 20)
    if rng.random() < 0.2:
        sound = sound + 0.02 * np.sin(2 * np.pi * 50 / SPEECH_RATE * np.arange(len(sound)))
    level = 10 ** (rng.uniform(-42.0, -14.0) / 20)
    return np.clip(np.round(sound * level * 32768), -32768, 32767).astype(np.int16)


def room(rng: np.random.Generator) -> Floats:
    """An impulse response: the direct sound, and noise that fades by 60 dB."""
    length = int(rng.uniform(0.08, 0.5) * SPEECH_RATE)
    tail = rng.normal(size=length) * 10 ** (-3 * np.arange(length) / length)
    tail *= rng.uniform(0.05, 0.5) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    return tail


def line(rng: np.random.Generator) -> Floats:
    """A filter: an uneven, tilted response, sometimes with the narrow band of a telephone."""
    hertz = np.array([0, 150, 400, 900, 1800, 3000, 4500, 7000, 12000, 24000])
    gain = rng.normal(0.0, 4.0, len(hertz))
    gain += rng.uniform(-8.0, 6.0) * np.log2(np.maximum(hertz, 150) / 1000) / 3
    if rng.random() < 0.3:
        gain -= 60 / (1 + np.exp(-(hertz - rng.uniform(3200, 8000)) / 300))
    if rng.random() < 0.2:
        gain[:2] -= 20
    return np.asarray(signal.firwin2(1025, hertz / 24000, 10 ** (np.clip(gain, -70, 20) / 20)))


def taken(pcm: npt.NDArray[np.int16], phonemes: Sequence[Phoneme]) -> Lesson:
    """What is heard in each hop, and what the mouth does, until after the recording broke off."""
    blocks = len(pcm) // (hearing.HOP * hearing.BLOCK) + 1
    ear = hearing.Ear(SpeechSlice(Span(0, len(pcm)), pcm.tobytes()))
    hops = Span(0, blocks * hearing.BLOCK)
    return Lesson(
        np.concatenate([ear.inputs(block) for block in range(blocks)]).astype(np.float16),
        pronounce(phonemes, hops, hearing.HOPS_PER_SECOND).astype(np.float16),
    )


def join(lessons: Iterator[Lesson]) -> Lesson:
    """Lessons as one."""
    parts = list(lessons)
    return Lesson(
        np.concatenate([part.inputs for part in parts]), np.concatenate([part.wanted for part in parts])
    )


# Learning --------------------------------------------------------------------------------------------------


def learn(lessons: Lesson, rng: np.random.Generator) -> hearing.Network:
    """Fit the network by Adam, with a learning rate that falls along a cosine."""
    spread = lessons.wanted.astype(np.float32).std(axis=0)
    mean = lessons.inputs.mean(axis=0, dtype=np.float32)
    scale = lessons.inputs.std(axis=0, dtype=np.float32) + np.float32(0.05)
    weights = beginner(rng)
    adam = Adam(weights, EPOCHS * (len(lessons.inputs) // BATCH))
    for _ in range(EPOCHS):
        losses = []
        for chosen in batches(len(lessons.inputs), rng):
            inputs = (blurred(lessons.inputs[chosen].astype(np.float32), rng) - mean) / scale
            loss, gradients = slopes(weights, inputs, lessons.wanted[chosen].astype(np.float32), spread)
            adam.step(weights, gradients)
            losses.append(loss)
        print(f"error {np.mean(losses):.4f}", flush=True)
    first, first_bias, second, second_bias, last, last_bias = (array.astype(np.float64) for array in weights)
    first /= scale[:, None]
    first_bias -= mean @ first
    stretch = np.ones(hearing.CHANNELS)
    return hearing.Network(first, first_bias, second, second_bias, last, last_bias, stretch)


def beginner(rng: np.random.Generator) -> Weights:
    """Weights and biases of three layers, at random."""
    sizes = (hearing.INPUTS, *HIDDEN, hearing.CHANNELS)
    weights: Weights = []
    for inputs, outputs in pairwise(sizes):
        weights.append((rng.normal(size=(inputs, outputs)) * np.sqrt(1.5 / inputs)).astype(np.float32))
        weights.append(np.zeros(outputs, np.float32))
    return weights


def batches(count: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """All indices below ``count`` in random order, BATCH at a time; the few that are left over wait."""
    order = rng.permutation(count)
    for first in range(0, count - BATCH + 1, BATCH):
        yield order[first : first + BATCH]


def blurred(inputs: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Inputs through yet another line, with a little noise, so that no lesson is heard twice alike."""
    bands = np.arange(hearing.BANDS)
    bumps = np.exp(-0.5 * ((bands - np.linspace(0, hearing.BANDS - 1, 7)[:, None]) / 2.5) ** 2)
    gain = rng.normal(0.0, 0.2, (len(inputs), 7)) @ bumps + rng.normal(0.0, 0.1, (len(inputs), 1))
    noise = rng.normal(0.0, 0.1, inputs.shape)
    return (inputs + np.tile(gain, len(hearing.OFFSETS)) + noise).clip(-1.5, 1.9).astype(np.float32)


def slopes(
    weights: Weights, inputs: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32], spread: Floats
) -> tuple[float, Weights]:
    """Mean squared error in units of each channel's spread, and its gradient."""
    first, first_bias, second, second_bias, last, last_bias = weights
    one = np.maximum(inputs @ first + first_bias, 0)
    two = np.maximum(one @ second + second_bias, 0)
    said = 1 / (1 + np.exp(-(two @ last + last_bias)))
    off = (said - wanted) / spread**2
    back = (off * said * (1 - said) / len(inputs)).astype(np.float32)
    back_two = (back @ last.T) * (two > 0)
    back_one = (back_two @ second.T) * (one > 0)
    gradients = [
        inputs.T @ back_one,
        back_one.sum(axis=0),
        one.T @ back_two,
        back_two.sum(axis=0),
        two.T @ back,
        back.sum(axis=0),
    ]
    return float(np.mean(off * (said - wanted))), gradients


class Adam:
    """Kingma and Ba, "Adam: a method for stochastic optimization", 2015, with decoupled weight decay."""

    def __init__(self, weights: Weights, steps: int) -> None:
        self._mean = [np.zeros_like(array) for array in weights]
        self._square = [np.zeros_like(array) for array in weights]
        self._steps, self._step = steps, 0

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Move the weights."""
        self._step += 1
        rate = FASTEST_LEARNING * 0.5 * (1 + np.cos(np.pi * self._step / self._steps))
        for index, gradient in enumerate(gradients):
            mean, square = self._mean[index], self._square[index]
            np.add(mean, 0.1 * (gradient - mean), out=mean)
            np.add(square, 0.001 * (gradient**2 - square), out=square)
            step = mean / (1 - 0.9**self._step) / (np.sqrt(square / (1 - 0.999**self._step)) + 1e-8)
            weights[index] -= np.float32(rate) * (step + np.float32(1e-4) * weights[index])


# Results ---------------------------------------------------------------------------------------------------


def stretches(network: hearing.Network, exams: Lesson) -> Floats:
    """How much more each channel has to move in languages that were not learned; a closure stays as it is."""
    said = network(exams.inputs.astype(np.float64))
    stretch = np.clip(exams.wanted.astype(np.float64).std(axis=0) / said.std(axis=0), 1.0, 1.3)
    stretch[Channel.PRESS] = 1.0
    return np.asarray(stretch)


def report(network: hearing.Network, exams: Lesson) -> None:
    """Correlation of what is said with what is wanted, by channel."""
    said, wanted = network(exams.inputs.astype(np.float64)), exams.wanted.astype(np.float64)
    for channel in Channel:
        r = np.corrcoef(said[:, channel], wanted[:, channel])[0, 1]
        print(f"{channel.name.lower():>8}: r {r:.2f}, stretched by {network.stretch[channel]:.2f}")


def write(network: hearing.Network) -> None:
    """Store the weights in half precision: the rounding is lost in what the network gets wrong anyway."""
    arrays = {name: array.astype(np.float16) for name, array in network._asdict().items()}
    np.savez_compressed(hearing.WEIGHTS, **arrays)
    print(f"{hearing.WEIGHTS.name}: {hearing.WEIGHTS.stat().st_size} bytes, {hearing.weights_sha256()}")


if __name__ == "__main__":
    main()
