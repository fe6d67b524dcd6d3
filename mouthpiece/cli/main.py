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
from mouthpiece.cli import arguments as arg
from mouthpiece.cli.errors import guarded

app = typer.Typer(
    help="Turns text or speech and a face into a talking-avatar video.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


@app.command()
def generate(
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            show_default=False,
            rich_help_panel=arg.RESULT,
            help="The MP4 to write.",
        ),
    ],
    text: arg.Text = None,
    text_file: arg.TextFile = None,
    audio: arg.Audio = None,
    avatar: arg.Avatar = None,
    voice: arg.Voice = "",
    voice_reference: arg.VoiceReference = "",
    voice_fallback: arg.VoiceFallback = None,
    consent: arg.Consent = "",
    speaking_rate: arg.SpeakingRate = None,
    loudness: arg.Loudness = None,
    denoise: arg.Denoise = False,
    longest_pause: arg.LongestPause = None,
    language: arg.Language = "",
    ssml: arg.Ssml = False,
    lexicon: arg.Lexicon = None,
    engine: arg.Engine = "",
    quality: arg.Quality = None,
    codec: arg.Codec = None,
    mode: arg.Mode = None,
    chunk_seconds: arg.ChunkSeconds = None,
    crossfade: arg.Crossfade = None,
    max_workers: arg.MaxWorkers = 0,
    priority: arg.Priority = 0.0,
    deadline: arg.Deadline = None,
    fps: arg.Fps = None,
    width: arg.Width = 0,
    height: arg.Height = 0,
    seed: arg.Seed = None,
    title: arg.Title = "",
    prompt: arg.Prompt = "",
    enhance: arg.Enhance = False,
    brightness: arg.Brightness = 0.0,
    contrast: arg.Contrast = 0.0,
    saturation: arg.Saturation = 0.0,
    sharpness: arg.Sharpness = 0.0,
    deflicker: arg.Deflicker = 0.0,
    smoothing: arg.Smoothing = 0.0,
    background: arg.Background = "",
    label: arg.Label = "",
    label_corner: arg.LabelCorner = None,
    label_opacity: arg.LabelOpacity = None,
    callback: arg.Callback = "",
    callback_secret: arg.CallbackSecret = "",
    stats: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=arg.RESULT, help="Write the job's statistics as JSON."),
    ] = None,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache", metavar="", rich_help_panel=arg.WORK, help="Render anew what was rendered before."
        ),
    ] = False,
    captions: Annotated[
        bool,
        typer.Option(
            "--captions",
            metavar="",
            rich_help_panel=arg.RESULT,
            help="A track of captions, and .vtt and .srt.",
        ),
    ] = False,
    optimize_streaming: Annotated[
        bool,
        typer.Option(
            "--optimize-streaming",
            metavar="",
            rich_help_panel=arg.RESULT,
            help="Fragmented MP4: plays as far as it has arrived.",
        ),
    ] = False,
    edit: arg.Edit = "",
    gateway: arg.Gateway = arg.LOCAL,
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
        codec=codec,
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
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        sharpness=sharpness,
        deflicker=deflicker,
        smoothing=smoothing,
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
        optimize_streaming=optimize_streaming,
    )
    wish = Wish(read_text(text, text_file), audio, avatar, options)
    run_async(make(wish, output, stats, gateway, start=start))


@app.command()
def plan(
    text: arg.Text = None,
    text_file: arg.TextFile = None,
    audio: arg.Audio = None,
    avatar: arg.Avatar = None,
    voice: arg.Voice = "",
    voice_reference: arg.VoiceReference = "",
    voice_fallback: arg.VoiceFallback = None,
    consent: arg.Consent = "",
    speaking_rate: arg.SpeakingRate = None,
    loudness: arg.Loudness = None,
    denoise: arg.Denoise = False,
    longest_pause: arg.LongestPause = None,
    ssml: arg.Ssml = False,
    lexicon: arg.Lexicon = None,
    language: arg.Language = "",
    engine: arg.Engine = "",
    mode: arg.Mode = None,
    chunk_seconds: arg.ChunkSeconds = None,
    crossfade: arg.Crossfade = None,
    max_workers: arg.MaxWorkers = 0,
    priority: arg.Priority = 0.0,
    deadline: arg.Deadline = None,
    fps: arg.Fps = None,
    width: arg.Width = 0,
    height: arg.Height = 0,
    quality: arg.Quality = None,
    codec: arg.Codec = None,
    seed: arg.Seed = None,
    prompt: arg.Prompt = "",
    enhance: arg.Enhance = False,
    brightness: arg.Brightness = 0.0,
    contrast: arg.Contrast = 0.0,
    saturation: arg.Saturation = 0.0,
    sharpness: arg.Sharpness = 0.0,
    deflicker: arg.Deflicker = 0.0,
    smoothing: arg.Smoothing = 0.0,
    background: arg.Background = "",
    label: arg.Label = "",
    label_corner: arg.LabelCorner = None,
    label_opacity: arg.LabelOpacity = None,
    edit: arg.Edit = "",
    gateway: arg.Gateway = arg.LOCAL,
    json: arg.AsJson = False,
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
        quality=quality,
        codec=codec,
        seed=seed,
        prompt=prompt,
        enhance=enhance,
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        sharpness=sharpness,
        deflicker=deflicker,
        smoothing=smoothing,
        background=background,
        label=label,
        label_corner=label_corner,
        label_opacity=label_opacity,
        edit=edit,
    )
    wish = Wish(read_text(text, text_file), audio, avatar, options)
    run_async(make_plan(wish, gateway, as_json=json))


@app.command()
def watch(job: arg.JobId, gateway: arg.Gateway = arg.LOCAL) -> None:
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
    gateway: arg.Gateway = arg.LOCAL,
    json: arg.AsJson = False,
) -> None:
    """List jobs, newest first."""
    from mouthpiece.cli.jobs import list_jobs as answer

    answer(gateway, state or [], limit, as_json=json)


@app.command()
def job(job: arg.JobId, gateway: arg.Gateway = arg.LOCAL, json: arg.AsJson = False) -> None:
    """Report on one job: what ran where and when, and where the time went."""
    from mouthpiece.cli.jobs import report as answer

    answer(gateway, job, as_json=json)


@app.command()
def cancel(job: arg.JobId, gateway: arg.Gateway = arg.LOCAL) -> None:
    """Stop a job."""
    from mouthpiece.cli.jobs import cancel as answer

    answer(gateway, job)


@app.command()
def delete(job: arg.JobId, gateway: arg.Gateway = arg.LOCAL) -> None:
    """Forget a job that has ended, with its video."""
    from mouthpiece.cli.jobs import delete as answer

    answer(gateway, job)


@app.command()
def download(
    job: arg.JobId,
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
    gateway: arg.Gateway = arg.LOCAL,
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
    json: arg.AsJson = False,
) -> None:
    """Tell who signed a video, what made it, and whether it is intact (exit code 0)."""
    from mouthpiece.cli.verify import verify as answer

    raise typer.Exit(answer(file, authority, as_json=json))


@app.command()
def workers(gateway: arg.Gateway = arg.LOCAL, json: arg.AsJson = False) -> None:
    """Show workers and queue."""
    from mouthpiece.cli.cluster import workers as answer

    answer(gateway, as_json=json)


@app.command()
def voices(
    language: Annotated[str, typer.Option(metavar="TAG", help="Only voices of this language.")] = "",
    gateway: arg.Gateway = arg.LOCAL,
    json: arg.AsJson = False,
) -> None:
    """List the voices that can be named."""
    from mouthpiece.cli.cluster import voices as answer

    answer(gateway, language, as_json=json)


@app.command()
def normalize(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", show_default=False, help="Words, or - for standard input.")
    ],
    language: arg.Language = "",
    ssml: arg.Ssml = False,
    lexicon: arg.Lexicon = None,
    gateway: arg.Gateway = arg.LOCAL,
    json: arg.AsJson = False,
) -> None:
    """Tell what a voice would say for a text: numbers, dates, formulas and the like in words."""
    from mouthpiece.cli.cluster import normalize as answer
    from mouthpiece.cli.wish import read_lexicon, read_text

    given = read_text(None, Path("-")) if text == "-" else text
    answer(gateway, given, language, read_lexicon(lexicon), ssml=ssml, as_json=json)


@app.command()
def engines(gateway: arg.Gateway = arg.LOCAL, json: arg.AsJson = False) -> None:
    """List the engines that the workers have."""
    from mouthpiece.cli.cluster import engines as answer

    answer(gateway, as_json=json)


@app.command()
def doctor(gateway: arg.Gateway = arg.LOCAL, json: arg.AsJson = False) -> None:
    """Check this machine and its installation, and say what to do about what is wrong."""
    from mouthpiece.cli.doctor import examine

    raise typer.Exit(examine(gateway, as_json=json))


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
    markdown: Annotated[
        bool, typer.Option("--markdown", metavar="", help="Write the tables for a document.")
    ] = False,
    json: arg.AsJson = False,
) -> None:
    """Compare the scheduler with simpler rules, in virtual time."""
    from mouthpiece.cli import simulate as answer
    from mouthpiece.cli.console import out

    if list_:
        out().print(answer.catalogue())
    elif gantt or svg:
        answer.draw(scenarios or [], policy or [], begin, end, svg)
    else:
        answer.simulate(scenarios or [], policy or [], seeds, quick=quick, as_json=json, as_markdown=markdown)


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
