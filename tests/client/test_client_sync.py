from __future__ import annotations

import inspect
from collections.abc import Generator
from pathlib import Path

import pytest

from mouthpiece.client import Client, SyncClient, VideoOptions
from mouthpiece.errors import BadInput, NotFound
from mouthpiece.v1 import gateway_pb2
from tests.support.cli_fake_gateway import VIDEO
from tests.support.cli_programs import FakeProgram


@pytest.fixture(scope="module")
def address() -> Generator[str]:
    with FakeProgram() as program:
        yield program.address


def test_a_video_is_made_without_an_event_loop(address: str, tmp_path: Path) -> None:
    events: list[gateway_pb2.JobEvent] = []
    with SyncClient(address) as client:
        job = client.generate(tmp_path / "out.mp4", text="Hi.", on_event=events.append)
        assert (tmp_path / "out.mp4").read_bytes() == VIDEO
        assert events[-1].state.state == gateway_pb2.JOB_STATE_DONE
        assert client.get_job(job.id) == job
        assert client.list_jobs(["done"], limit=1)[0].id == job.id


def test_events_are_iterated_and_may_be_left(address: str) -> None:
    with SyncClient(address) as client:
        job = client.submit(VideoOptions().spec(text="Hi."))
        numbers = [event.sequence for event in client.watch(job.id)]
        assert [n for n in numbers if n][-1] == client.get_job(job.id).last_sequence
        assert next(iter(client.watch(job.id))).sequence == 1


def test_errors_are_those_of_the_asynchronous_client(address: str) -> None:
    with SyncClient(address) as client, pytest.raises(NotFound):
        client.get_job("j" + "9" * 25)
    with pytest.raises(BadInput):
        SyncClient("nowhere")


def test_every_method_has_its_twin_with_the_same_arguments() -> None:
    own = {"close", "run"}
    names = {name for name in vars(Client) if not name.startswith("_")}
    assert names | own == {name for name in vars(SyncClient) if not name.startswith("_")}
    for name in names - own:
        twin = inspect.signature(getattr(SyncClient, name))
        assert twin.parameters.keys() == inspect.signature(getattr(Client, name)).parameters.keys()
