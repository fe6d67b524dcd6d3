"""The whole suite on one machine, as child processes of this one."""

from mouthpiece.suite.layout import ServicePlan, SuiteConfig
from mouthpiece.suite.machine import Gpu, Machine, look_around
from mouthpiece.suite.supervisor import OnChange, Phase, Service, Suite

__all__ = [
    "Gpu",
    "Machine",
    "OnChange",
    "Phase",
    "Service",
    "ServicePlan",
    "Suite",
    "SuiteConfig",
    "look_around",
]
