"""Who calls, and what each method asks of a caller."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do: look at its tenant's jobs, make and change them, see the cluster."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


SCOPES = {
    "UploadAsset": Scope.WRITE,
    "QueryUpload": Scope.WRITE,
    "SubmitJob": Scope.WRITE,
    "WatchJob": Scope.READ,
    "GenerateVideo": Scope.WRITE,
    "GetJob": Scope.READ,
    "ListJobs": Scope.READ,
    "CancelJob": Scope.WRITE,
    "DeleteJob": Scope.WRITE,
    "DownloadVideo": Scope.READ,
    "PlanJob": Scope.WRITE,
    "GetCluster": Scope.ADMIN,
    "WatchCluster": Scope.ADMIN,
    "ListVoices": Scope.READ,
    "ListEngines": Scope.READ,
    "NormalizeText": Scope.READ,
}
"""The scope that each method of VideoService takes. A method that is not here is for nobody."""

RATED = frozenset({"UploadAsset", "SubmitJob", "GenerateVideo", "PlanJob"})
"""Methods that count against a tenant's rate: those that cost more than a look."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls, on behalf of a tenant. `name` is for logs."""

    tenant: str
    scopes: frozenset[Scope]
    name: str

    def may_see(self, tenant: str) -> bool:
        """Whether what belongs to a tenant is there for this caller; without a tenant, everything is."""
        return not self.tenant or self.tenant == tenant


ANYBODY = Caller("", frozenset(Scope), "anybody")
"""Every caller of a gateway that does not ask."""

_current: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)


def current_caller() -> Caller:
    """On whose behalf the current call runs."""
    return _current.get()


def set_caller(caller: Caller) -> None:
    """From here on, the current task runs on a caller's behalf."""
    _current.set(caller)
