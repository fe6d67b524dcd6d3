"""`mouthpiece key`: a new API key, to be given to a caller and entered into the gateway's access file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import get_args

from mouthpiece.choices import ScopeName
from mouthpiece.cli.console import err, out
from mouthpiece.errors import BadInput
from mouthpiece.keys import hash_token, new_token

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def make_key(name: str, tenant: str, scopes: Sequence[str]) -> None:
    """Print the entry for the access file, and the token on standard error: nobody can show it again."""
    if not _NAME.fullmatch(name):
        raise BadInput("name", f"{name!r} is not made of a-z, 0-9 and -")
    unknown = set(scopes) - set(get_args(ScopeName))
    if unknown:
        raise BadInput("scope", f"{min(unknown)!r} is none of {', '.join(get_args(ScopeName))}")
    token = new_token(name)
    out().print(
        f'[[keys]]\nname = "{name}"\ntenant = {json.dumps(tenant)}\n'
        f'sha256 = "{hash_token(token)}"\nscopes = {json.dumps(list(scopes))}',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    err().print(f"MOUTHPIECE_TOKEN={token}", markup=False, highlight=False, soft_wrap=True)
