"""The file that says who has access: tenants with their limits, API keys, and whose JWTs are taken."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from limits import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mouthpiece.errors import BadInput
from services.gateway.access.callers import Scope

_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


STANDARD = "standard"
"""Class of tenants that name none."""

MOST_CLASSES = 20
"""Figures are told by class: this many series for each."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tenant(_Strict):
    """A tenant: its share of a busy cluster against others', and its limits (0 or "": none)."""

    weight: float = Field(default=1.0, gt=0, le=1000)
    max_jobs: int = Field(default=0, ge=0)
    """Most jobs that wait or run at a time."""
    rate: str = ""
    """Most submissions, plans and uploads, such as "60/minute"."""
    tenant_class: str = Field(default=STANDARD, alias="class", pattern=_NAME)
    """Which figures of the queue its jobs count in; nothing else follows from it."""

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: str) -> str:
        if rate:
            parse(rate)
        return rate


class Key(_Strict):
    """An API key, by the SHA-256 of its token."""

    name: str = Field(pattern=_NAME)
    tenant: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope] = frozenset({Scope.READ, Scope.WRITE})
    expires: datetime | None = None

    @field_validator("expires")
    @classmethod
    def _check_zone(cls, expires: datetime | None) -> datetime | None:
        if expires is not None and expires.tzinfo is None:
            raise ValueError("needs a time zone, such as 2027-01-01T00:00:00Z")
        return expires


class Issuer(_Strict):
    """Whose JWTs are taken: the issuer's keys (a file or https URL with a JWKS), and the claims to read."""

    jwks: str
    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"


class AccessDocument(_Strict):
    """All of it."""

    tenants: dict[Annotated[str, Field(pattern=_NAME)], Tenant]
    keys: tuple[Key, ...] = ()
    jwt: Issuer | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [key.name for key in self.keys]
        twice = {name for name in names if names.count(name) > 1}
        unknown = {key.tenant for key in self.keys} - set(self.tenants)
        if len({tenant.tenant_class for tenant in self.tenants.values()}) > MOST_CLASSES:
            raise ValueError(f"tenants are of more than {MOST_CLASSES} classes")
        if twice:
            raise ValueError(f"two keys are called {min(twice)!r}")
        if unknown:
            raise ValueError(f"no tenant {min(unknown)!r} is named under [tenants]")
        return self


def read_access(path: Path) -> AccessDocument:
    """Read the file. Raises `BadInput` that names the setting and says what is wrong."""
    variable = "MOUTHPIECE_GATEWAY_ACCESS"
    try:
        return AccessDocument.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(variable, f"{path}: {where}: {first['msg']}".replace(": : ", ": ")) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(variable, f"cannot read {path}: {error}") from None
