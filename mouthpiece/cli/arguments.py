"""What the commands of `mouthpiece` take, where several take the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mouthpiece.choices import CodecName, CornerName, FallbackName, LoudnessName, ModeName, QualityName

SPEECH = "What to say"
PICTURE = "The picture"
RETOUCHING = "How to change it, on top of --enhance"
WORK = "How to work"
RESULT = "The result"

LOCAL = "localhost:50051"
"""The gateway of `mouthpiece up`."""

Text = Annotated[
    str | None,
    typer.Option(metavar="TEXT", rich_help_panel=SPEECH, help="Words to speak; with --audio, its words."),
]
TextFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", rich_help_panel=SPEECH, help="The same from a UTF-8 file; - for standard input."
    ),
]
Audio = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=SPEECH,
        help="A recording of the speech: any audio, or video with sound.",
    ),
]
Voice = Annotated[str, typer.Option(metavar="NAME", rich_help_panel=SPEECH, help="See `mouthpiece voices`.")]
Language = Annotated[
    str,
    typer.Option(
        metavar="TAG", rich_help_panel=SPEECH, help="Such as en, en-GB, ru. Default: by voice or script."
    ),
]
Ssml = Annotated[
    bool, typer.Option("--ssml", metavar="", rich_help_panel=SPEECH, help="The text is an SSML document.")
]
Lexicon = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=SPEECH,
        help="How to say words: a line `word = what to say` for each, or `word = /IPA/`.",
    ),
]
VoiceReference = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        rich_help_panel=SPEECH,
        help="A recording of the voice to speak in; avatar: the avatar video's own.",
    ),
]
VoiceFallback = Annotated[
    FallbackName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=SPEECH,
        help="When the voice fails: engine (the next one), reference (as it is) or none. Default: engine.",
    ),
]
SpeakingRate = Annotated[
    float | None,
    typer.Option(metavar="X", rich_help_panel=SPEECH, help="Speed of speech, 0.5 to 2. Default: 1."),
]
Loudness = Annotated[
    LoudnessName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=SPEECH,
        help="normalize (to -16 LUFS) or keep. Default: normalize text, keep recordings.",
    ),
]
Denoise = Annotated[
    bool,
    typer.Option(
        "--denoise", metavar="", rich_help_panel=SPEECH, help="Weaken noise in the recording or reference."
    ),
]
LongestPause = Annotated[
    float | None,
    typer.Option(
        metavar="S", rich_help_panel=SPEECH, help="Cut longer pauses of a recording to this, 0.1 to 60."
    ),
]
Consent = Annotated[
    str,
    typer.Option(
        metavar="REF",
        rich_help_panel=SPEECH,
        show_default=False,
        help="Where consent to the use of voice and face is kept; stays with the video.",
    ),
]
Avatar = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", rich_help_panel=PICTURE, help="A portrait or a video of the face. Default: our own."
    ),
]
Quality = Annotated[
    QualityName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=PICTURE,
        help="low, medium, high, ultra or lossless. Default: medium.",
    ),
]
Codec = Annotated[
    CodecName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=PICTURE,
        help="h264, hevc or av1. Default: h264, which everything plays.",
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        metavar="RATE", rich_help_panel=PICTURE, help="25, 29.97 or 30000/1001. Default: the video's, or 25."
    ),
]
Width = Annotated[
    int,
    typer.Option(
        metavar="PIXELS",
        rich_help_panel=PICTURE,
        show_default=False,
        help="Default: from height, or the avatar's.",
    ),
]
Height = Annotated[
    int,
    typer.Option(
        metavar="PIXELS",
        rich_help_panel=PICTURE,
        show_default=False,
        help="Default: from width, or the avatar's.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", rich_help_panel=PICTURE, help="Of blinks and sway. Default: from the request."),
]
Title = Annotated[
    str, typer.Option(metavar="TEXT", rich_help_panel=PICTURE, help="For lists, and inside the file.")
]
Crossfade = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        rich_help_panel=WORK,
        help="Blend independent chunks of a chained engine over S seconds (approximate).",
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        metavar="TEXT", rich_help_panel=PICTURE, help="What the scene is, for engines that take a prompt."
    ),
]
Enhance = Annotated[
    bool,
    typer.Option(
        "--enhance",
        metavar="",
        rich_help_panel=PICTURE,
        help="More contrast, colour, sharpness, less flicker.",
    ),
]
Brightness = Annotated[
    float,
    typer.Option(
        metavar="X",
        rich_help_panel=RETOUCHING,
        show_default=False,
        help="Brighter, up to 1, or darker, down to -1.",
    ),
]
Contrast = Annotated[
    float,
    typer.Option(
        metavar="X",
        rich_help_panel=RETOUCHING,
        show_default=False,
        help="More contrast, up to 1, or less, down to -1.",
    ),
]
Saturation = Annotated[
    float,
    typer.Option(
        metavar="X",
        rich_help_panel=RETOUCHING,
        show_default=False,
        help="More colour, up to 1, or less, down to -1.",
    ),
]
Sharpness = Annotated[
    float,
    typer.Option(metavar="X", rich_help_panel=RETOUCHING, show_default=False, help="Sharper, up to 1."),
]
Deflicker = Annotated[
    float,
    typer.Option(
        metavar="X",
        rich_help_panel=RETOUCHING,
        show_default=False,
        help="Even out brightness that flickers, up to 1.",
    ),
]
Smoothing = Annotated[
    float,
    typer.Option(
        metavar="X",
        rich_help_panel=RETOUCHING,
        show_default=False,
        help="Even out noise that changes from frame to frame, up to 1.",
    ),
]
Background = Annotated[
    str,
    typer.Option(
        metavar="COLOUR|FILE",
        rich_help_panel=PICTURE,
        show_default=False,
        help="#rrggbb or a picture instead of the avatar's green or blue screen.",
    ),
]
Label = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        rich_help_panel=PICTURE,
        show_default=False,
        help="Words drawn on every frame, such as AI generated.",
    ),
]
LabelCorner = Annotated[
    CornerName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=PICTURE,
        help="bottom-right, bottom-left, top-right or top-left. Default: bottom-right.",
    ),
]
LabelOpacity = Annotated[
    float | None,
    typer.Option(metavar="X", rich_help_panel=PICTURE, help="How opaque it is, up to 1. Default: 0.85."),
]
Engine = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=WORK, help="See `mouthpiece engines`. Default: viseme."),
]
Mode = Annotated[
    ModeName | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=WORK,
        help="auto, single or chunked. Default: auto, as many workers as pay.",
    ),
]
ChunkSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S", rich_help_panel=WORK, help="Wanted chunk length, 0.2 to 600. Default: by load."
    ),
]
MaxWorkers = Annotated[
    int,
    typer.Option(
        metavar="N",
        rich_help_panel=WORK,
        show_default=False,
        help="Most workers at a time. Default: no limit.",
    ),
]
Priority = Annotated[
    float,
    typer.Option(
        metavar="S",
        rich_help_panel=WORK,
        show_default=False,
        help="Head start over other jobs, as if it had waited so many seconds; negative lets them go first.",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        rich_help_panel=WORK,
        help="When the video is wanted: 90s, 20m or 2h from now, or a time such as 2026-01-31T18:00.",
    ),
]
Edit = Annotated[
    str,
    typer.Option(
        metavar="JOB",
        rich_help_panel=WORK,
        show_default=False,
        help="The text is an edit of this job's: show again what did not change.",
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
Callback = Annotated[
    str, typer.Option(metavar="URL", rich_help_panel=RESULT, help="What the gateway tells when it is done.")
]
CallbackSecret = Annotated[
    str,
    typer.Option(metavar="NAME", rich_help_panel=RESULT, help="The gateway's secret to sign that with."),
]
