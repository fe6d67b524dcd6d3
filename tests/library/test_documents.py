from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from mouthpiece.v1 import common_pb2, gateway_pb2, lipsync_pb2, merger_pb2, tts_pb2
from scripts.write_api_doc import Comments, Links, render

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Where links into a document may point."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(FENCED.sub("", document.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = document.parent / target if target else document
        assert file.exists(), link
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), link


def test_the_manual_names_every_method_field_and_value() -> None:
    said = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for module in (common_pb2, gateway_pb2, lipsync_pb2, merger_pb2, tts_pb2):
        file = module.DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                assert f"### {service.name}.{method.name}\n" in said
        kinds = {**file.message_types_by_name, **file.enum_types_by_name}
        for name, kind in kinds.items():
            (section,) = re.findall(rf"^### {name}\n(.*?)(?=^##|\Z)", said, re.MULTILINE | re.DOTALL)
            for part in kind.fields if name in file.message_types_by_name else kind.values:
                assert f"| `{part.name}` |" in section, f"{name}.{part.name}"


def test_statuses_of_a_comment_become_a_table() -> None:
    proto = FileDescriptorProto()
    gateway_pb2.DESCRIPTOR.CopyToProto(proto)
    place = proto.source_code_info.location.add(path=[6, 0, 2, 0])
    place.leading_comments = (
        " Does it; see GetJob.\n\n NOT_FOUND: no such\n   job. FAILED_PRECONDITION with reason A: not yet.\n"
    )
    assert Comments.of(proto).at(6, 0, 2, 0)[0] == "Does it; see GetJob."
    assert Links([proto]).within("GetJob") == "[GetJob](#videoservicegetjob)"
    text = render([proto])
    assert "\nDoes it; see [GetJob](#videoservicegetjob).\n" in text
    assert "| NOT_FOUND | no such job. |\n| FAILED_PRECONDITION with reason A | not yet. |" in text
