"""Python clients of a Mouthpiece gateway.

async with Client("localhost:50051") as client:
    await client.generate("hello.mp4", text="Hello there.", avatar="me.jpg")
"""

from mouthpiece.client._link import OnRetry
from mouthpiece.client.client import Client
from mouthpiece.client.options import VideoOptions, parse_deadline, parse_fps
from mouthpiece.client.outcome import ENDED, JobCancelled, JobFailed
from mouthpiece.client.retry import Patience
from mouthpiece.client.sync import SyncClient

__all__ = [
    "ENDED",
    "Client",
    "JobCancelled",
    "JobFailed",
    "OnRetry",
    "Patience",
    "SyncClient",
    "VideoOptions",
    "parse_deadline",
    "parse_fps",
]
