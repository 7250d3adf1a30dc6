"""docker/ and what it promises: by the tools' schemas, by Parley's settings and services, and hardened."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from api.app import described_app
from api.health import health
from api.metrics import metrics
from tests.docker.described import (
    DOCKER,
    ROOT,
    Document,
    compose,
    containers,
    entrypoint,
    health_check,
    image_environment,
    in_pod,
    instructions,
    last,
    manifests,
    pods,
)
from tests.servers.process import free_port
from workers.cli import main
from workers.service import SPOOLING, Service
from workers.settings import Settings

SERVICES = sorted(Service)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
KUBERNETES = "1.37"
OLDEST_KUBERNETES = "1.30"  # has everything that the manifests use
SETTINGS = {f"PARLEY_{name.upper()}" for name in Settings.model_fields}
EXAMPLE = (DOCKER / ".env.example").read_text("utf-8")
PARLEY = {name: each for name, each in compose()["services"].items() if each["image"].startswith("parley:")}
OTHERS = {name: each for name, each in compose()["services"].items() if name not in PARLEY}


def variables(container: Document) -> set[str]:
    """The names of the variables that a container of the manifests gets."""
    kinds = {"configMapRef": "data", "secretRef": "stringData"}
    names: set[str] = set()
    for source in container["envFrom"]:
        [(kind, reference)] = source.items()
        [found] = [
            each[kinds[kind]]
            for each in manifests()
            if kinds[kind] in each and each["metadata"]["name"] == reference["name"]
        ]
        names |= set(found)
    return names


# ── the tools' schemas ─────────────────────────────────────────────────────────────────────────────


def test_the_compose_file_is_as_the_compose_specification_wants_it() -> None:
    validator = Draft202012Validator(get_builtin_schema("vendor.compose-spec"))

    assert [error.message for error in validator.iter_errors(compose())] == []


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, KUBERNETES])
def test_the_manifests_are_as_kubernetes_wants_them(version: str) -> None:
    for document in manifests():
        kubernetes_validate.validate(document, version, strict=True)


def test_a_wrong_manifest_would_be_noticed() -> None:
    [job] = [each for each in manifests() if each["kind"] == "Job"]
    job["spec"]["template"]["spec"]["containers"][0]["arguments"] = ["topics"]

    with pytest.raises(kubernetes_validate.ValidationError, match="'arguments' was unexpected"):
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_every_manifest_is_applied() -> None:
    listed = yaml.safe_load((DOCKER / "kubernetes" / "kustomization.yaml").read_text("utf-8"))["resources"]

    files = {file.name for file in (DOCKER / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert sorted(listed) == sorted(files)


# ── Parley's settings, services, and pages ─────────────────────────────────────────────────────────


def test_every_variable_is_a_setting() -> None:
    composed = {name for each in PARLEY.values() for name in each["environment"]}
    deployed = {name for _, container in containers() for name in variables(container)}
    exampled = set(re.findall(r"^(PARLEY_\w+)=", EXAMPLE, re.MULTILINE))

    assert (composed | deployed | exampled | set(image_environment())) - SETTINGS == set()


def test_every_variable_that_the_compose_file_asks_for_is_in_the_example_and_the_other_way_round() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text("utf-8")))

    assert asked == set(re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE))


def test_every_service_is_there_once() -> None:
    composed = [word for each in PARLEY.values() for word in each["command"]]
    deployed = [word for _, container in containers() for word in container["args"]]

    assert sorted(composed) == sorted(deployed) == sorted([*SERVICES, "migrate", "topics"])
    assert set(composed) <= set(main.commands)
    assert entrypoint() == ["parley"]


def test_a_service_is_called_as_what_it_runs() -> None:
    assert {name: each["command"] for name, each in PARLEY.items()} == {name: [name] for name in PARLEY}
    assert [[name] for name, _ in containers()] == [container["args"] for _, container in containers()]


def test_facts_that_wait_are_on_a_disk_that_stays() -> None:
    """Each service that spools has a volume of its own as Parley's data folder; no other has one."""
    folder = image_environment()["PARLEY_DATA_DIR"]
    composed = {name: [each.split(":") for each in one.get("volumes", [])] for name, one in PARLEY.items()}
    kept = {each["metadata"]["name"]: each for each in manifests() if each["kind"] == "StatefulSet"}

    assert {name for name, volumes in composed.items() if volumes} == SPOOLING == set(kept)
    assert [composed[name] for name in SPOOLING] == [[[f"spool-{name}", folder]] for name in SPOOLING]
    for document in kept.values():
        [claim] = document["spec"]["volumeClaimTemplates"]
        [container] = document["spec"]["template"]["spec"]["containers"]
        assert {"name": claim["metadata"]["name"], "mountPath": folder} in container["volumeMounts"]


def test_probes_ask_for_what_the_smallest_service_serves() -> None:
    served = {rule.rule for rule in described_app((), (health, metrics)).url_map.iter_rules()}
    probes = [
        container[probe]["httpGet"]
        for name, container in containers()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if name in SERVICES
    ]
    scraped = {
        document["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]
        for document in manifests()
        if document["kind"] in ("Deployment", "StatefulSet")
    }
    checked = re.findall(r"'(/\S+)'", last("HEALTHCHECK"))

    assert len(probes) == 3 * len(SERVICES)
    assert {probe["path"] for probe in probes} | scraped | set(checked) <= served
    assert checked == ["/health/live"]


def test_ports_are_the_images() -> None:
    port = image_environment()["PARLEY_PORT"]

    assert last("EXPOSE") == port
    assert {str(each["ports"][0]["containerPort"]) for name, each in containers() if name in SERVICES} == {
        port
    }
    assert PARLEY["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize("field", ["master_key", "admin_key"])
def test_the_samples_secrets_are_refused(field: str) -> None:
    """Whoever forgets to replace one learns it at the first start."""
    secrets = [each["stringData"] for each in manifests() if each["kind"] == "Secret"]
    [sample] = [
        value for each in secrets for name, value in each.items() if name == f"PARLEY_{field.upper()}"
    ]

    with pytest.raises(ValidationError, match=field):
        Settings.model_validate({field: sample})
    assert re.search(rf"^PARLEY_{field.upper()}=$", EXAMPLE, re.MULTILINE)


# ── hardened ───────────────────────────────────────────────────────────────────────────────────────


def test_images_are_named_with_a_version() -> None:
    used = {each["image"] for each in compose()["services"].values()}
    used |= {container["image"] for _, container in containers()}
    used |= {rest.split()[0] for word, rest in instructions() if word == "FROM"}

    assert [image for image in used if not re.fullmatch(r"[a-z]+(/[a-z]+)?:\d[\w.-]+", image)] == []


def test_the_version_is_that_of_the_project() -> None:
    version = PROJECT["project"]["version"]
    ours = {each["image"] for each in PARLEY.values()}
    ours |= {container["image"] for _, container in containers()}

    assert ours == {f"parley:{version}"}
    assert f'version="{version}"' in last("LABEL")


def test_the_image_does_not_run_as_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER"))


@pytest.mark.parametrize("name", sorted(PARLEY))
def test_a_process_of_parley_may_do_little_in_compose(name: str) -> None:
    service = PARLEY[name]

    assert service["user"] == last("USER")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]  # noqa: S108 - it is the container's


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_kafka_and_postgresql_do_not_run_as_root_in_compose_nor_can_be_reached_from_outside(
    name: str,
) -> None:
    service = OTHERS[name]

    assert service["user"] not in ("", "root", "0")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service
    assert service["networks"] == ["inside"]
    assert compose()["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", sorted(pods()))
def test_a_pod_may_do_little(name: str) -> None:
    pod = pods()[name]
    user = int(last("USER").split(":")[0])
    context = pod["securityContext"]

    assert (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"]) == (True, user, user)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in in_pod(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize("name", sorted(pods()))
def test_kubernetes_adds_no_variables_of_its_own(name: str) -> None:
    """A Service called parley would set PARLEY_PORT to a URL, and the process would refuse to start."""
    assert pods()[name]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_may_be_interrupted_one_process_at_a_time(name: str) -> None:
    [budget] = [
        each["spec"]
        for each in manifests()
        if each["kind"] == "PodDisruptionBudget" and each["metadata"]["name"] == name
    ]
    [workload] = [
        each["spec"]
        for each in manifests()
        if each["kind"] in ("Deployment", "StatefulSet") and each["metadata"]["name"] == name
    ]

    assert budget == {"maxUnavailable": 1, "selector": workload["selector"]}
    labels = workload["template"]["metadata"]["labels"]
    assert workload["selector"]["matchLabels"] == labels
    assert labels["app.kubernetes.io/component"] == name


def test_only_the_api_knows_the_admins_key() -> None:
    composed = {name for name, each in PARLEY.items() if "PARLEY_ADMIN_KEY" in each["environment"]}
    deployed = {name for name, each in containers() if "PARLEY_ADMIN_KEY" in variables(each)}

    assert composed == deployed == {"api"}


# ── the Dockerfile ─────────────────────────────────────────────────────────────────────────────────


def test_what_the_dockerfile_copies_is_there_and_sent_to_the_build() -> None:
    copied = {
        source.rstrip("/")
        for word, rest in instructions()
        for source in rest.split()[:-1]
        if word == "COPY" and not rest.startswith("--from")
    }
    sent = {
        line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"
    }

    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert copied == sent


def test_the_image_has_every_room() -> None:
    copied = {rest.split()[0].rstrip("/") for word, rest in instructions() if word == "COPY"}
    rooms = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert set(rooms) <= copied


def test_nothing_is_run_by_a_shell_and_every_dependency_by_its_hash() -> None:
    runs: list[Any] = [json.loads(rest) for word, rest in instructions() if word == "RUN"]
    installs = [run for run in runs if "pip" in run and run[run.index("pip") + 1] in ("install", "wheel")]

    assert len(installs) == 3
    for run in installs:
        assert "--require-hashes" in run or "--no-deps" in run


def test_the_health_check_fails_with_the_service(tmp_path: Path) -> None:
    """What the image asks itself, asked of a port where nobody listens."""
    command = [sys.executable, *health_check()[1:]]
    asked = subprocess.run(
        command, env={"PARLEY_PORT": str(free_port())}, cwd=tmp_path, capture_output=True, check=False
    )

    assert asked.returncode == 1
    assert b"Connection refused" in asked.stderr
