"""Prints, as JSON, what is wrong with an active mapping that names the provider `courier` (nothing, where it
is installed), and where the published contracts came from.

Run as a program, because what is installed is decided when Python starts.
"""

import json
import sys
from uuid import UUID

import contracts
from adapters.providers import providers
from domain.mapping_settings import Kind, MappingSettings, Route, Status, problems

settings = MappingSettings(
    kind=Kind.REST,
    code="CO-1",
    status=Status.ACTIVE,
    provider="courier",
    default_country="US",
    secrets={"api_key": UUID(int=1), "webhook_secret": UUID(int=2)},
    routes=(Route("+12025550100", "Support", skill_queue="SUPPORT"),),
)
wrong = [each.field for each in problems(settings, providers().get("courier"))]
json.dump({"wrong": wrong, "contracts": contracts.__file__}, sys.stdout)
