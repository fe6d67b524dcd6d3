"""Configuration: frozen values, read once from the environment or a TOML file.

A variable is named `MOUTHPIECE_` + the field for what all services share, and `MOUTHPIECE_<SERVICE>_` + the
field for the rest, in capitals: `MOUTHPIECE_DATA`, `MOUTHPIECE_GATEWAY_PORT`. `MOUTHPIECE_CONFIG` may name a
TOML file with the same fields, shared ones at the top and the rest in a table per service; the environment
wins. Everything has a default that works on one machine.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mouthpiece.choices import ConsentName, CornerName
from mouthpiece.errors import BadInput
from mouthpiece.logs import LogFormat
from mouthpiece.rpc.security import TlsFiles

CONFIG_VARIABLE = "MOUTHPIECE_CONFIG"


class _Settings(BaseSettings):
    """Reads itself from the environment and one table of the TOML file."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
    table: ClassVar[str] = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit values first, then the environment, then the file."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _toml_table(cls.table))

    @classmethod
    def read(cls) -> Self:
        """Read from environment and file. Raises `BadInput` naming the variable that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            prefix = cls.model_config.get("env_prefix", "")
            name = prefix + "_".join(str(part) for part in first["loc"])
            raise BadInput(name.upper(), first["msg"]) from None


def _toml_table(table: str) -> dict[str, Any]:
    path = os.environ.get(CONFIG_VARIABLE)
    if not path:
        return {}
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(CONFIG_VARIABLE, f"cannot read {path}: {error}") from None
    found = document.get(table, {}) if table else document
    return {key: value for key, value in found.items() if not isinstance(value, dict)}


class CommonSettings(_Settings):
    """What every service needs."""

    model_config = SettingsConfigDict(env_prefix="MOUTHPIECE_")

    data: Path = Path("data")
    """Folder for everything that is kept: database, artifacts, caches. Default: `data`, where started."""

    artifacts: str = ""
    """Artifact store that all services share: a folder, or a URL such as s3://bucket/prefix.

    Default: `artifacts` in the data folder."""

    cache: Path | None = None
    """Folder of this service's own caches, which may be lost. Default: `cache` in the data folder."""

    models: Path | None = None
    """Folder of the face models. Default: `share/mouthpiece/models` of the Python environment."""

    host: str = "127.0.0.1"
    """Interface to listen on. Default: this machine only."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    log_format: LogFormat = "text"
    """`text`, or `json`: an object a line, with the job, attempt, worker and trace if it has any. Default:
    text."""

    tracing: bool = False
    """Whether each job is a trace, with OpenTelemetry; needs the extra `tracing`. Exporter, sampling and
    names are set by OpenTelemetry's own variables: see docs/operations.md. Default: false."""

    drain_seconds: float = Field(default=30, ge=0, le=3600)
    """Seconds that running work gets to end after SIGTERM. Default: 30."""

    tls_certificate: Path | None = None
    """PEM file with this service's certificate chain; with it, only TLS connections are taken.

    New connections see a file that was replaced."""

    tls_key: Path | None = None
    """PEM file with the certificate's private key."""

    tls_authority: Path | None = None
    """PEM file with the authority of all services' certificates: speech, merger and workers let only callers
    with such a certificate in, and the gateway checks theirs."""

    health_port: int = Field(default=0, ge=0, le=65535)
    """Port for health checks alone, without TLS, which the probes of Kubernetes do not speak; 0: none."""

    tls_required: bool = False
    """Whether a service without a certificate refuses to start. Default: false."""

    @property
    def tls(self) -> TlsFiles:
        """The TLS files. Raises `BadInput` when they are needed and missing."""
        files = TlsFiles(self.tls_certificate, self.tls_key, self.tls_authority)
        if self.tls_required and self.tls_certificate is None:
            raise BadInput("MOUTHPIECE_TLS_CERTIFICATE", "is not set, and MOUTHPIECE_TLS_REQUIRED is")
        return files

    @property
    def artifacts_url(self) -> str:
        """Where artifacts are, spelled out."""
        return self.artifacts or str(self.data / "artifacts")

    @property
    def folders(self) -> dict[str, Path]:
        """Folders that this service writes to, by what they hold."""
        found = {"data": self.data, "cache": self.cache_folder}
        return found if "://" in self.artifacts_url else {**found, "artifacts": Path(self.artifacts_url)}

    @property
    def cache_folder(self) -> Path:
        """Where caches are, spelled out."""
        return self.cache or self.data / "cache"


class GatewaySettings(_Settings):
    """The gateway's own."""

    model_config = SettingsConfigDict(env_prefix="MOUTHPIECE_GATEWAY_")
    table: ClassVar[str] = "gateway"

    port: int = Field(default=50051, ge=0, le=65535)
    """gRPC port; 0: any free one. Default: 50051."""

    metrics_port: int = Field(default=9100, ge=0, le=65535)
    """Prometheus port; 0: none. Default: 9100."""

    http_port: int = Field(default=8080, ge=0, le=65535)
    """HTTP port, of the web page and the REST interface; 0: any free one. Default: 8080."""

    allowed_hosts: str = ""
    """Names, separated by commas, that HTTP is answered under while no tokens are asked for, such as
    `video.example.org`; `*`: any. Addresses, `localhost` and `MOUTHPIECE_HOST` always are. Default: none
    else."""

    tts: str = "127.0.0.1:50052"
    """Address of the speech service. Default: 127.0.0.1:50052."""

    merger: str = "127.0.0.1:50053"
    """Address of the merger. Default: 127.0.0.1:50053."""

    workers: str = "127.0.0.1:50060"
    """Lip-sync workers, separated by commas: `HOST:PORT` for one, `dns:HOST:PORT` for all addresses that a
    name has, such as a headless service; it is looked up every 5 seconds. Default: 127.0.0.1:50060."""

    database: str = ""
    """SQLAlchemy URL of the job store. Default: SQLite `mouthpiece.db` in the data folder."""

    max_text: int = Field(default=200_000, ge=1)
    """Longest text in code points. Default: 200000."""

    max_upload_bytes: int = Field(default=2 << 30, ge=1)
    """Largest asset in bytes. Default: 2 GiB."""

    keep_days: float = Field(default=30, ge=0)
    """Days for which an ended job is kept, with its video; 0: until it is deleted. Default: 30."""

    cache_bytes: int = Field(default=50 << 30, ge=0)
    """Size of rendered chunks kept for reuse in bytes, and as much again of spoken sentences; what was unused
    for longest goes first. Default: 50 GiB."""

    access: Path | None = None
    """TOML file with tenants, API keys and the issuer of JWTs: see docs/security.md. Default: none, and
    everybody may do everything."""

    callbacks: Literal["off", "public", "any"] = "off"
    """Where callbacks of jobs may go: `off` is nowhere, `public` all but private and local addresses, `any`
    everywhere. Default: off."""

    callback_secrets: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    """Secrets that callbacks are signed with, by name: as JSON in the environment. Default: none."""

    require_consent: ConsentName = "off"
    """Which jobs need a consent reference: `voice` those that imitate a voice, `face` also those with an
    uploaded face; `off`: none. Default: off."""

    label: str = ""
    """Words drawn on every frame of every video, such as "AI generated", at most 64 characters; empty: what
    jobs ask for. Default: empty."""

    label_corner: CornerName = "bottom-right"
    """Where they stand: `bottom-right`, `bottom-left`, `top-right` or `top-left`. Default: bottom-right."""

    label_opacity: float = Field(default=0.85, gt=0, le=1)
    """How opaque they are, up to 1. Default: 0.85."""

    version_patience_seconds: float = Field(default=60, ge=0)
    """Seconds for which a job waits for a worker with the engine version that it began with, while others
    have another; then it is rendered anew with that. Default: 60."""

    engine_patience_seconds: float = Field(default=3600, gt=0)
    """Seconds for which a job waits while no worker can render with its engine; then it fails, and what was
    rendered is kept for the next try. Default: 3600."""

    max_jobs: int = Field(default=1000, ge=1)
    """Most jobs that may wait or run at a time. Default: 1000."""

    min_free_bytes: int = Field(default=512 << 20, ge=0)
    """Room to be left on the disks of the data folder and of artifacts in bytes: with less, new jobs and
    uploads are refused; 0: none is left. Default: 512 MiB."""


class TtsSettings(_Settings):
    """The speech service's own."""

    model_config = SettingsConfigDict(env_prefix="MOUTHPIECE_TTS_")
    table: ClassVar[str] = "tts"

    port: int = Field(default=50052, ge=0, le=65535)
    """gRPC port; 0: any free one. Default: 50052."""

    metrics_port: int = Field(default=9101, ge=0, le=65535)
    """Prometheus port; 0: none. Default: 9101."""

    max_calls: int = Field(default=16, ge=1)
    """Most calls served at a time. Default: 16."""

    max_seconds: float = Field(default=3600, gt=0)
    """Longest recording in seconds. Default: 3600."""

    engines: str = "espeak"
    """Speech engines in order of preference, separated by commas: `espeak`, `piper`, `heygem`, `pocket`. The
    embedded `espeak` is always there, as the last. Default: espeak."""

    piper_voices: Path | None = None
    """A piper voice (`NAME.onnx` with `NAME.onnx.json` beside it), or a folder of them. Default: none."""

    pocket_model: Path | None = None
    """Folder with the files of Pocket TTS for sherpa-onnx, which clones voices. Default: none."""

    heygem: str = ""
    """URLs of HeyGem speech containers, separated by commas; calls take turns. Default: none."""

    heygem_folder: Path | None = None
    """The folder that those containers see as /code/data. Default: none."""

    heygem_seconds: float = Field(default=120, gt=0)
    """Longest wait for one sentence of theirs in seconds. Default: 120."""


class LipSyncSettings(_Settings):
    """A lip-sync worker's own."""

    model_config = SettingsConfigDict(env_prefix="MOUTHPIECE_LIPSYNC_")
    table: ClassVar[str] = "lipsync"

    port: int = Field(default=50060, ge=0, le=65535)
    """gRPC port; 0: any free one. Default: 50060."""

    metrics_port: int = Field(default=9110, ge=0, le=65535)
    """Prometheus port; 0: none. Default: 9110."""

    name: str = ""
    """Name in reports. Default: the host's name and the port."""

    engines: str = "viseme"
    """Engines to load, separated by commas. Default: viseme."""

    slots: int = Field(default=1, ge=1, le=64)
    """Chunks rendered at a time. Default: 1."""

    devices: int = Field(default=1, ge=1, le=64)
    """GPUs, or cores where there are none, over which each windowed engine is spread with Ray. Default: 1."""

    max_pixels: int = Field(default=40_000_000, ge=4096)
    """Largest avatar picture or frame in pixels. Default: 40 million."""

    max_clip_seconds: float = Field(default=60, gt=0)
    """Seconds of an avatar video that are used; the rest is left out with a warning. Default: 60."""

    avatar_cache_bytes: int = Field(default=8 << 30, ge=0)
    """Disk for prepared avatars in bytes; the least recently used go first. Default: 8 GiB."""

    weights: Path = Path("weights")
    """Folder of checkpoints that you bring. Default: `weights`, where started."""

    wav2lip_gan: Path | None = None
    """Checkpoint of Wav2Lip with GAN. Default: Wav2Lip-SD-GAN.pt or wav2lip_gan.pth in `weights`."""

    wav2lip_nogan: Path | None = None
    """Checkpoint of Wav2Lip without GAN. Default: Wav2Lip-SD-NOGAN.pt or wav2lip.pth in `weights`."""

    wav2lip_threads: int = Field(default=1, ge=1, le=256)
    """Threads that compute Wav2Lip where there is no GPU. Default: 1."""

    wav2lip_soft_paste: bool = False
    """Fade the face that Wav2Lip makes into the frame instead of overwriting its box. Default: false."""

    timed_frames_per_second: float = Field(default=100, gt=0)
    """Speed of the `timed` engine. Default: 100."""

    wan_comfyui: str = ""
    """Base URL of a ComfyUI that renders for engine `wan-s2v`; empty: the model runs here. Default: empty."""

    wan_workflow: Path | None = None
    """Workflow in ComfyUI's API format for the first clip of a chain. Default: none."""

    wan_workflow_next: Path | None = None
    """The same for clips that go on from the motion of the one before. Default: none."""

    wan_weights: Path | None = None
    """Folder with the weights of Wan2.2-S2V-14B, for the model in this process. Default: none."""

    wan_model: str = ""
    """Names weights and nodes: workers with different ones do not share a job. Default: empty."""

    wan_pixels: int = Field(default=832 * 480, ge=64 * 64)
    """Size of clips in pixels; their shape follows the portrait. Default: 399360, which is 832 x 480."""

    wan_steps: int = Field(default=40, ge=1, le=200)
    """Denoising steps. Default: 40."""

    wan_prompt: str = "A person looks into the camera and talks."
    """Prompt of jobs that have none. Default: a person who talks."""

    wan_clip_seconds: float = Field(default=3600, gt=0)
    """Longest time that a ComfyUI may take for a clip. Default: 3600."""

    heygem_url: str = "http://127.0.0.1:8383"
    """Base URL of this worker's HeyGem video container. Default: http://127.0.0.1:8383."""

    heygem_folder: Path | None = None
    """Folder of this machine that the container shares; needed for engine `heygem`. Default: none."""

    heygem_container_path: str = "/code/data"
    """The same folder as the container sees it; empty: bare names of files in its `temp` are sent. Default:
    /code/data."""

    heygem_model: str = ""
    """Names the container's image: workers with different ones do not share a job. Default: empty."""

    heygem_super_resolution: bool = False
    """Ask the container to sharpen the face (its `chaofen`). Default: false."""

    heygem_max_chunk_frames: int = Field(default=750, ge=1)
    """Longest chunk in frames; the slowest GPU renders it well within `heygem_task_seconds`. Default: 750."""

    heygem_task_seconds: float = Field(default=600, gt=0)
    """The container's limit for a task in seconds; chunks are cut for half of it. Default: 600."""

    heygem_silence_seconds: float = Field(default=60, gt=0)
    """Seconds that a container may be silent during a task, for it may be restarting. Default: 60."""

    heygem_poll_seconds: float = Field(default=1, gt=0, le=60)
    """Seconds between two looks at a task. Default: 1."""


class MergerSettings(_Settings):
    """The merger's own."""

    model_config = SettingsConfigDict(env_prefix="MOUTHPIECE_MERGER_")
    table: ClassVar[str] = "merger"

    port: int = Field(default=50053, ge=0, le=65535)
    """gRPC port; 0: any free one. Default: 50053."""

    metrics_port: int = Field(default=9102, ge=0, le=65535)
    """Prometheus port; 0: none. Default: 9102."""

    max_merges: int = Field(default=64, ge=1)
    """Most merges at a time. Default: 64."""

    signing_certificate: Path | None = None
    """PEM file with the certificate chain that videos are signed with, after C2PA: see docs/security.md.

    A file that was replaced is used from the next video on. Default: none, and no video is signed."""

    signing_key: Path | None = None
    """PEM file with the certificate's private key, without a password."""

    signing_timestamps: str = ""
    """URL of a time-stamping authority (RFC 3161): signatures that it dates stay valid when the certificate
    ends. Default: none."""

    signing_failure: Literal["fail", "deliver"] = "fail"
    """What becomes of a video that cannot be signed: `fail` tries again for some minutes, then the job fails;
    `deliver` hands it out unsigned, with a warning. Default: fail."""
