"""The program `mouthpiece`: what each command takes. What it does lives in the modules that it imports.

Those are imported by the commands themselves, so that help and completion answer at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mouthpiece import __version__
from mouthpiece.choices import CornerName, FallbackName, LoudnessName, ModeName, QualityName
from mouthpiece.cli.errors import guarded

app = typer.Typer(
    help="Turns text or speech and a face into a talking-avatar video.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SPEECH = "What to say"
_PICTURE = "The picture"
_WORK = "How to work"
_RESULT = "The result"

Text = Annotated[
    str | None,
    typer.Option(metavar="TEXT", rich_help_panel=_SPEECH, help="Words to speak; with --audio, its words."),
]
TextFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", rich_help_panel=_SPEECH, help="The same from a UTF-8 file; - for standard input."
    ),
]
Audio = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_SPEECH,
        help="A recording of the speech: any audio, or video with sound.",
    ),
]
Voice = Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_SPEECH, help="See `mouthpiece voices`.")]
Language = Annotated[
    str,
    typer.Option(
        metavar="TAG", rich_help_panel=_SPEECH, help="Such as en, en-GB, ru. Default: by voice or script."
    ),
]
Ssml = Annotated[
    bool, typer.Option("--ssml", metavar="", rich_help_panel=_SPEECH, help="The text is an SSML document.")
]
Lexicon = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_SPEECH,
        help="How to say words: a line `word = what to say` for each, or `word = /IPA/`.",
    ),
]
VoiceReference = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_SPEECH,
        help="A recording of the voice to speak in; avatar: the avatar video's own.",
    ),
]
VoiceFallback = Annotated[
    FallbackName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_SPEECH,
        help="When the voice fails: engine (the next one), reference (as it is) or none. Default: engine.",
    ),
]
SpeakingRate = Annotated[
    float | None,
    typer.Option(metavar="X", rich_help_panel=_SPEECH, help="Speed of speech, 0.5 to 2. Default: 1."),
]
Loudness = Annotated[
    LoudnessName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_SPEECH,
        help="normalize (to -16 LUFS) or keep. Default: normalize text, keep recordings.",
    ),
]
Denoise = Annotated[
    bool,
    typer.Option(
        "--denoise", metavar="", rich_help_panel=_SPEECH, help="Weaken noise in the recording or reference."
    ),
]
LongestPause = Annotated[
    float | None,
    typer.Option(
        metavar="S", rich_help_panel=_SPEECH, help="Cut longer pauses of a recording to this, 0.1 to 60."
    ),
]
Consent = Annotated[
    str,
    typer.Option(
        metavar="REF",
        rich_help_panel=_SPEECH,
        show_default=False,
        help="Where consent to the use of voice and face is kept; stays with the video.",
    ),
]
Avatar = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", rich_help_panel=_PICTURE, help="A portrait or a video of the face. Default: our own."
    ),
]
Quality = Annotated[
    QualityName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_PICTURE,
        help="low, medium, high, ultra or lossless. Default: medium.",
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        metavar="RATE", rich_help_panel=_PICTURE, help="25, 29.97 or 30000/1001. Default: the video's, or 25."
    ),
]
Width = Annotated[
    int,
    typer.Option(
        metavar="PIXELS",
        rich_help_panel=_PICTURE,
        show_default=False,
        help="Default: from height, or the avatar's.",
    ),
]
Height = Annotated[
    int,
    typer.Option(
        metavar="PIXELS",
        rich_help_panel=_PICTURE,
        show_default=False,
        help="Default: from width, or the avatar's.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", rich_help_panel=_PICTURE, help="Of blinks and sway. Default: from the request."
    ),
]
Title = Annotated[
    str, typer.Option(metavar="TEXT", rich_help_panel=_PICTURE, help="For lists, and inside the file.")
]
Crossfade = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        rich_help_panel=_WORK,
        help="Blend independent chunks of a chained engine over S seconds (approximate).",
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        metavar="TEXT", rich_help_panel=_PICTURE, help="What the scene is, for engines that take a prompt."
    ),
]
Enhance = Annotated[
    bool,
    typer.Option(
        "--enhance", metavar="", rich_help_panel=_PICTURE, help="More contrast, colour and sharpness."
    ),
]
Background = Annotated[
    str,
    typer.Option(
        metavar="COLOUR|FILE",
        rich_help_panel=_PICTURE,
        show_default=False,
        help="#rrggbb or a picture instead of the avatar's green or blue screen.",
    ),
]
Label = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        rich_help_panel=_PICTURE,
        show_default=False,
        help="Words drawn on every frame, such as AI generated.",
    ),
]
LabelCorner = Annotated[
    CornerName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_PICTURE,
        help="bottom-right, bottom-left, top-right or top-left. Default: bottom-right.",
    ),
]
LabelOpacity = Annotated[
    float | None,
    typer.Option(metavar="X", rich_help_panel=_PICTURE, help="How opaque it is, up to 1. Default: 0.85."),
]
Engine = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=_WORK, help="See `mouthpiece engines`. Default: viseme."),
]
Mode = Annotated[
    ModeName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_WORK,
        help="auto, single or chunked. Default: auto, as many workers as pay.",
    ),
]
ChunkSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S", rich_help_panel=_WORK, help="Wanted chunk length, 0.2 to 600. Default: by load."
    ),
]
MaxWorkers = Annotated[
    int,
    typer.Option(
        metavar="N",
        rich_help_panel=_WORK,
        show_default=False,
        help="Most workers at a time. Default: no limit.",
    ),
]
Priority = Annotated[
    float,
    typer.Option(
        metavar="S",
        rich_help_panel=_WORK,
        show_default=False,
        help="Head start over other jobs, as if it had waited so many seconds; negative lets them go first.",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        rich_help_panel=_WORK,
        help="When the video is wanted: 90s, 20m or 2h from now, or a time such as 2026-01-31T18:00.",
    ),
]
Gateway = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT",
        envvar="MOUTHPIECE_GATEWAY",
        help="The gateway to ask; of several, separated by commas, the first that answers.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Answer in JSON.")]
JobId = Annotated[
    str, typer.Argument(metavar="JOB", show_default=False, help="The job's id; see `mouthpiece jobs`.")
]

LOCAL = "localhost:50051"


@app.command()
def up(
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Lip-sync processes. Default: one per GPU, else one per two cores."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where everything is kept. Default: MOUTHPIECE_DATA, or data."),
    ] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(
            metavar="P", help="The gateway's port; 0 for any. Default: MOUTHPIECE_GATEWAY_PORT, or 50051."
        ),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            metavar="P",
            help="Port of the page and the REST interface; 0 for any. Default: MOUTHPIECE_GATEWAY_HTTP_PORT, "
            "or 8080, or any where --grpc-port is 0.",
        ),
    ] = None,
) -> None:
    """Run the whole suite on this machine until Ctrl-C."""
    from mouthpiece.cli.running import run as run_async
    from mouthpiece.cli.up import keep_up, read_config

    run_async(keep_up(read_config(workers, data, grpc_port, http_port)))


Callback = Annotated[
    str, typer.Option(metavar="URL", rich_help_panel=_RESULT, help="What the gateway tells when it is done.")
]
CallbackSecret = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=_RESULT, help="The gateway's secret to sign that with."),
]


@app.command()
def generate(
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_RESULT,
            help="The MP4 to write.",
        ),
    ],
    text: Text = None,
    text_file: TextFile = None,
    audio: Audio = None,
    avatar: Avatar = None,
    voice: Voice = "",
    voice_reference: VoiceReference = "",
    voice_fallback: VoiceFallback = None,
    consent: Consent = "",
    speaking_rate: SpeakingRate = None,
    loudness: Loudness = None,
    denoise: Denoise = False,
    longest_pause: LongestPause = None,
    language: Language = "",
    ssml: Ssml = False,
    lexicon: Lexicon = None,
    engine: Engine = "",
    quality: Quality = None,
    mode: Mode = None,
    chunk_seconds: ChunkSeconds = None,
    crossfade: Crossfade = None,
    max_workers: MaxWorkers = 0,
    priority: Priority = 0.0,
    deadline: Deadline = None,
    fps: Fps = None,
    width: Width = 0,
    height: Height = 0,
    seed: Seed = None,
    title: Title = "",
    prompt: Prompt = "",
    enhance: Enhance = False,
    background: Background = "",
    label: Label = "",
    label_corner: LabelCorner = None,
    label_opacity: LabelOpacity = None,
    callback: Callback = "",
    callback_secret: CallbackSecret = "",
    stats: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=_RESULT, help="Write the job's statistics as JSON."),
    ] = None,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache", metavar="", rich_help_panel=_WORK, help="Render anew what was rendered before."
        ),
    ] = False,
    captions: Annotated[
        bool,
        typer.Option(
            "--captions",
            metavar="",
            rich_help_panel=_RESULT,
            help="A track of captions, and .vtt and .srt.",
        ),
    ] = False,
    edit: Annotated[
        str,
        typer.Option(
            metavar="JOB",
            rich_help_panel=_WORK,
            show_default=False,
            help="The text is an edit of this job's: keep in place what both have.",
        ),
    ] = "",
    gateway: Gateway = LOCAL,
    start: Annotated[
        bool, typer.Option("--start", metavar="", help="Start a suite for this one call instead.")
    ] = False,
) -> None:
    """Make a video."""
    from mouthpiece.cli.generate import generate as make
    from mouthpiece.cli.running import run as run_async
    from mouthpiece.cli.wish import Wish, read_lexicon, read_text
    from mouthpiece.client import VideoOptions, parse_deadline, parse_fps

    options = VideoOptions(
        voice=voice,
        voice_reference=voice_reference,
        voice_fallback=voice_fallback,
        consent=consent,
        speaking_rate=speaking_rate,
        loudness=loudness,
        denoise=denoise,
        longest_pause=longest_pause,
        language=language,
        engine=engine,
        quality=quality,
        mode=mode,
        chunk_seconds=chunk_seconds,
        crossfade=crossfade,
        max_workers=max_workers,
        priority=priority,
        deadline=parse_deadline(deadline, datetime.now().astimezone()) if deadline else None,
        fps=parse_fps(fps) if fps else None,
        width=width,
        height=height,
        seed=seed,
        title=title,
        prompt=prompt,
        enhance=enhance,
        background=background,
        label=label,
        label_corner=label_corner,
        label_opacity=label_opacity,
        callback=callback,
        callback_secret=callback_secret,
        ignore_cache=no_cache,
        ssml=ssml,
        pronunciations=read_lexicon(lexicon),
        edit=edit,
        captions=captions,
    )
    wish = Wish(read_text(text, text_file), audio, avatar, options)
    run_async(make(wish, output, stats, gateway, start=start))


@app.command()
def plan(
    text: Text = None,
    text_file: TextFile = None,
    audio: Audio = None,
    avatar: Avatar = None,
    voice: Voice = "",
    voice_reference: VoiceReference = "",
    voice_fallback: VoiceFallback = None,
    consent: Consent = "",
    speaking_rate: SpeakingRate = None,
    loudness: Loudness = None,
    denoise: Denoise = False,
    longest_pause: LongestPause = None,
    ssml: Ssml = False,
    lexicon: Lexicon = None,
    language: Language = "",
    engine: Engine = "",
    mode: Mode = None,
    chunk_seconds: ChunkSeconds = None,
    crossfade: Crossfade = None,
    max_workers: MaxWorkers = 0,
    priority: Priority = 0.0,
    deadline: Deadline = None,
    fps: Fps = None,
    width: Width = 0,
    height: Height = 0,
    gateway: Gateway = LOCAL,
    json: AsJson = False,
) -> None:
    """Tell what generate would do: chunks, workers, seconds."""
    from mouthpiece.cli.generate import plan as make_plan
    from mouthpiece.cli.running import run as run_async
    from mouthpiece.cli.wish import Wish, read_lexicon, read_text
    from mouthpiece.client import VideoOptions, parse_deadline, parse_fps

    options = VideoOptions(
        voice=voice,
        voice_reference=voice_reference,
        voice_fallback=voice_fallback,
        consent=consent,
        speaking_rate=speaking_rate,
        loudness=loudness,
        denoise=denoise,
        longest_pause=longest_pause,
        language=language,
        ssml=ssml,
        pronunciations=read_lexicon(lexicon),
        engine=engine,
        mode=mode,
        chunk_seconds=chunk_seconds,
        crossfade=crossfade,
        max_workers=max_workers,
        priority=priority,
        deadline=parse_deadline(deadline, datetime.now().astimezone()) if deadline else None,
        fps=parse_fps(fps) if fps else None,
        width=width,
        height=height,
    )
    wish = Wish(read_text(text, text_file), audio, avatar, options)
    run_async(make_plan(wish, gateway, as_json=json))


@app.command()
def watch(job: JobId, gateway: Gateway = LOCAL) -> None:
    """Follow a job until it ends."""
    from mouthpiece.cli.generate import watch as follow
    from mouthpiece.cli.running import run as run_async

    run_async(follow(job, gateway))


@app.command()
def jobs(
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE", help="Only jobs in this state; may be repeated: queued, speaking, rendering, …"
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 50,
    gateway: Gateway = LOCAL,
    json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from mouthpiece.cli.jobs import list_jobs as answer

    answer(gateway, state or [], limit, as_json=json)


@app.command()
def job(job: JobId, gateway: Gateway = LOCAL, json: AsJson = False) -> None:
    """Report on one job: what ran where and when, and where the time went."""
    from mouthpiece.cli.jobs import report as answer

    answer(gateway, job, as_json=json)


@app.command()
def cancel(job: JobId, gateway: Gateway = LOCAL) -> None:
    """Stop a job."""
    from mouthpiece.cli.jobs import cancel as answer

    answer(gateway, job)


@app.command()
def delete(job: JobId, gateway: Gateway = LOCAL) -> None:
    """Forget a job that has ended, with its video."""
    from mouthpiece.cli.jobs import delete as answer

    answer(gateway, job)


@app.command()
def download(
    job: JobId,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", show_default=False, help="The MP4 to write.")
    ],
    captions: Annotated[
        bool, typer.Option("--captions", metavar="", help="Also write its captions beside it, .vtt and .srt.")
    ] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", metavar="", help="Write while the job runs, as fragmented MP4 that plays at once."
        ),
    ] = False,
    gateway: Gateway = LOCAL,
) -> None:
    """Fetch the video of a finished job, or of a running one as it grows."""
    from mouthpiece.cli.jobs import download as answer

    answer(gateway, job, output, captions=captions, follow=follow)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="An MP4.")],
    authority: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM certificates of those who vouch for signers.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Tell who signed a video, what made it, and whether it is intact (exit code 0)."""
    from mouthpiece.cli.verify import verify as answer

    raise typer.Exit(answer(file, authority, as_json=json))


@app.command()
def workers(gateway: Gateway = LOCAL, json: AsJson = False) -> None:
    """Show workers and queue."""
    from mouthpiece.cli.cluster import workers as answer

    answer(gateway, as_json=json)


@app.command()
def voices(
    language: Annotated[str, typer.Option(metavar="TAG", help="Only voices of this language.")] = "",
    gateway: Gateway = LOCAL,
) -> None:
    """List the voices that can be named."""
    from mouthpiece.cli.cluster import voices as answer

    answer(gateway, language)


@app.command()
def normalize(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", show_default=False, help="Words, or - for standard input.")
    ],
    language: Language = "",
    ssml: Ssml = False,
    lexicon: Lexicon = None,
    gateway: Gateway = LOCAL,
    json: AsJson = False,
) -> None:
    """Tell what a voice would say for a text: numbers, dates, formulas and the like in words."""
    from mouthpiece.cli.cluster import normalize as answer
    from mouthpiece.cli.wish import read_lexicon, read_text

    given = read_text(None, Path("-")) if text == "-" else text
    answer(gateway, given, language, read_lexicon(lexicon), ssml=ssml, as_json=json)


@app.command()
def engines(gateway: Gateway = LOCAL) -> None:
    """List the engines that the workers have."""
    from mouthpiece.cli.cluster import engines as answer

    answer(gateway)


@app.command()
def doctor(gateway: Gateway = LOCAL) -> None:
    """Check this machine and its installation, and say what to do about what is wrong."""
    from mouthpiece.cli.doctor import examine

    raise typer.Exit(examine(gateway))


@app.command()
def simulate(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO]...", show_default=False, help="Scenarios, or groups of them. Default: all."
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this policy; may be repeated. Default: ours and its rivals."),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each, with other jobs.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", metavar="", help="Few and short runs: seconds instead of minutes.")
    ] = False,
    gantt: Annotated[
        bool, typer.Option("--gantt", metavar="", help="Draw who renders what in one scenario instead.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same as a picture, into this file.")
    ] = None,
    begin: Annotated[float, typer.Option(metavar="S", min=0, help="Draw from this moment on,")] = 0.0,
    end: Annotated[float, typer.Option(metavar="S", help="and to this one.")] = 120.0,
    list_: Annotated[bool, typer.Option("--list", metavar="", help="List the scenarios.")] = False,
    json: AsJson = False,
) -> None:
    """Compare the scheduler with simpler rules, in virtual time."""
    from mouthpiece.cli import simulate as answer
    from mouthpiece.cli.console import out

    if list_:
        out().print(answer.catalogue())
    elif gantt or svg:
        answer.draw(scenarios or [], policy or [], begin, end, svg)
    else:
        answer.simulate(scenarios or [], policy or [], seeds, quick=quick, as_json=json)


@app.command()
def key(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What logs call it.")],
    tenant: Annotated[
        str, typer.Option(metavar="NAME", show_default=False, help="On whose behalf its holder acts.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="read, write or admin; may be repeated. Default: read and write."),
    ] = None,
) -> None:
    """Make an API key: the entry for the gateway's access file, and the token for its holder."""
    from mouthpiece.cli.key import make_key

    make_key(name, tenant, scope or ["read", "write"])


@app.command()
def version() -> None:
    """Tell the release."""
    typer.echo(f"mouthpiece {__version__}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name; None: this process's own) and return its exit code."""
    return guarded(lambda: app(arguments, standalone_mode=False))


def run() -> None:
    """The program."""
    raise SystemExit(main())


if __name__ == "__main__":
    run()
