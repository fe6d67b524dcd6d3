"""Who may do what: callers by API key or JWT, scopes by method, rates and quotas by tenant."""

from __future__ import annotations

from services.gateway.access.callers import Caller, Scope, current_caller
from services.gateway.access.document import Tenant
from services.gateway.access.guard import Guard

__all__ = ["Caller", "Guard", "Scope", "Tenant", "current_caller"]
