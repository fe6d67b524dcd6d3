"""What the operator asks of every job: consent to the use of voices and faces, and a visible label."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Self

from mouthpiece.choices import ConsentName
from mouthpiece.errors import BadInput, Violation
from mouthpiece.rpc.label import CORNERS, check_label
from mouthpiece.settings import GatewaySettings
from mouthpiece.v1.common_pb2 import Label, VideoFormat
from mouthpiece.v1.gateway_pb2 import JobSpec

MAX_CONSENT = 200
_PIXELS_PER_COLUMN = 5
"""Width of a narrow character that can still be read; wide ones, as of Chinese, take two."""


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What needs a consent reference: nothing, voices that are imitated, or uploaded faces too. And what is
    drawn on every frame whatever a job says."""

    consent: ConsentName = "off"
    label: Label | None = None

    @classmethod
    def of(cls, settings: GatewaySettings) -> Self:
        """The rules that settings make. Raises `BadInput` that names a setting."""
        if not settings.label:
            return cls(settings.require_consent)
        corner = CORNERS[settings.label_corner]
        label = Label(text=settings.label, corner=corner, opacity=settings.label_opacity)
        for wrong in check_label(label, "label"):
            raise BadInput("MOUTHPIECE_GATEWAY_LABEL", wrong.description)
        return cls(settings.require_consent, label)

    def check(self, spec: JobSpec) -> None:
        """Raise `BadInput` for a job that needs consent, and names none."""
        why = self._why_consent(spec)
        if why and not spec.consent_reference.strip():
            raise BadInput("spec.consent_reference", f"is needed for {why}: say where consent to it is kept")

    def _why_consent(self, spec: JobSpec) -> str:
        if self.consent != "off" and spec.voice_reference_sha256:
            return "a voice that is imitated"
        if self.consent == "face" and spec.avatar_sha256:
            return "a face that was uploaded"
        return ""

    def label_of(self, spec: JobSpec) -> Label | None:
        """What is drawn on the frames of a job."""
        return self.label or (spec.label if spec.HasField("label") else None)

    def fitting_label(self, spec: JobSpec, form: VideoFormat) -> Label | None:
        """The same; raises `BadInput` when it cannot be read at the size of the frames."""
        label = self.label_of(spec)
        if label is None:
            return None
        columns = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in label.text)
        if columns * _PIXELS_PER_COLUMN > form.width:
            field = "spec.width" if self.label else "spec.label.text"
            raise BadInput(field, f"the label {label.text!r} cannot be read on {form.width} pixels")
        return label


def check_marks(spec: JobSpec) -> list[Violation]:
    """What is wrong with a job's consent reference and label in themselves."""
    found: list[Violation] = []
    consent = spec.consent_reference
    if len(consent) > MAX_CONSENT or not consent.isprintable():
        wrong = f"is not at most {MAX_CONSENT} printable characters"
        found.append(Violation("spec.consent_reference", wrong))
    return [*found, *(check_label(spec.label, "spec.label") if spec.HasField("label") else ())]
