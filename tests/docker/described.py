"""What docker/ describes, read from its files."""

import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"

Document = dict[str, Any]


def compose() -> Document:
    """docker/compose.yaml, with its references and merges resolved; variables are as they stand there."""
    [document] = deepcopy(_read(DOCKER / "compose.yaml"))
    return document


def manifests() -> list[Document]:
    """Every document in docker/kubernetes/ but the list of them."""
    files = sorted((DOCKER / "kubernetes").glob("*.yaml"))
    return [each for file in files if file.name != "kustomization.yaml" for each in deepcopy(_read(file))]


@cache
def _read(file: Path) -> list[Document]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def pods() -> dict[str, Document]:
    """The pods of the manifests' workloads, by the workload's name."""
    workloads = [each for each in manifests() if "template" in each.get("spec", {})]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in workloads}


def containers() -> list[tuple[str, Document]]:
    """Every container of the manifests, each with its own name."""
    return [(each["name"], each) for pod in pods().values() for each in in_pod(pod)]


def in_pod(pod: Document) -> list[Document]:
    """A pod's containers."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with its arguments on one line."""
    text = (DOCKER / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last(instruction: str) -> str:
    """What the last one of the Dockerfile's instructions of this kind says, which is what counts."""
    return [rest for word, rest in instructions() if word == instruction][-1]


def image_environment() -> dict[str, str]:
    """What the image sets for Parley."""
    said = " ".join(rest for word, rest in instructions() if word == "ENV")
    return dict(re.findall(r"(PARLEY_\w+)=(\S+)", said))


def entrypoint() -> list[str]:
    """What the image runs."""
    command: list[str] = json.loads(last("ENTRYPOINT"))
    return command


def health_check() -> list[str]:
    """What the image asks itself."""
    command: list[str] = json.loads(last("HEALTHCHECK").split(" CMD ")[1])
    return command
