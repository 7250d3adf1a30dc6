"""The house rules that no linter knows: packaging, lock files, what an import may do, decisions."""

import ast
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ROOMS: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
LOCK_FILES = sorted((ROOT / "requirements").glob("*.txt"))

DOMAIN_MAY_IMPORT = ("domain", "phonenumbers", "eventsourcing.domain", "eventsourcing.application")
CONTRACTS_MAY_IMPORT = ("contracts", "domain", "pytest")
DOMAIN_MAY_NOT_USE = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "datetime_now_with_tzinfo",
    "open",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid1",
    "uuid4",
}
PLACE = re.compile(r"://|(?<![\w.])/|--(?:extra-)?index-url|--find-links| @ |file:")
HOME_DIRECTORY = re.compile(r"(?<![\w.}])/(?:home|root|Users)/\w|[A-Z]:\\Users\\")


def committed_files() -> Iterator[Path]:
    """What git would hold: everything outside hidden folders (but .ci), data and caches."""
    for folder, folders, names in os.walk(ROOT):
        at_root = Path(folder) == ROOT
        folders[:] = [
            name
            for name in folders
            if (name == ".ci" or not name.startswith("."))
            and name != "__pycache__"
            and not (at_root and name in {"var", "build", "dist"})
        ]
        yield from (Path(folder) / name for name in names)


def names_used(source: str) -> set[str]:
    """What a module mentions, by its last two names: ``datetime.datetime.now`` as ``datetime.now``."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name | ast.Attribute))
    return {".".join(ast.unparse(node).split(".")[-2:]) for node in nodes}


def imports(source: str) -> Iterator[str]:
    """What a module imports, each by its full name: ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def test_there_are_two_lock_files() -> None:
    assert [path.name for path in LOCK_FILES] == ["run.txt", "test.txt"]


@pytest.mark.parametrize("lock_file", LOCK_FILES, ids=lambda path: path.name)
def test_a_lock_file_pins_by_hash_and_names_no_place(lock_file: Path) -> None:
    text = lock_file.read_text("utf-8")
    assert PLACE.findall(text) == []
    pins = re.findall(r"^[^\s#].*(?:\n +--hash.*)*", text, re.MULTILINE)
    assert pins
    assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_the_test_lock_agrees_with_the_run_lock() -> None:
    pin = re.compile(r"^[a-z0-9][^\s;]*", re.MULTILINE)
    run, test = (set(pin.findall(path.read_text("utf-8"))) for path in LOCK_FILES)
    assert run - test == set()


@pytest.mark.parametrize("dependency", PYPROJECT["project"]["dependencies"])
def test_every_dependency_is_locked(dependency: str) -> None:
    name = re.split(r"[\[=<>~! ]", dependency)[0]
    assert re.search(rf"^{name}==", LOCK_FILES[0].read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_belongs_to_parley_alone(room: str) -> None:
    others = set(importlib.metadata.packages_distributions().get(room, [])) - {"parley"}
    assert others == set()
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")


@pytest.mark.parametrize("room", [*ROOMS, "adapters/providers", "bench", "faults", "tests"])
def test_a_room_states_its_rule(room: str) -> None:
    assert "Rule: " in (ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text("utf-8"))) or "")


def test_importing_connects_to_nothing_and_starts_nothing(tmp_path: Path) -> None:
    program = Path(__file__).with_name("import_everything.py")
    result = subprocess.run(
        [sys.executable, program, *ROOMS],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def foreign(source: str, allowed: tuple[str, ...]) -> set[str]:
    """What a module imports that is neither of the standard library nor allowed."""
    return {
        name
        for name in imports(source)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == each or name.startswith(f"{each}.") for each in allowed)
    }


@pytest.mark.parametrize("path", sorted((ROOT / "domain").rglob("*.py")), ids=lambda path: path.name)
def test_the_domain_imports_and_uses_only_what_its_rule_allows(path: Path) -> None:
    source = path.read_text("utf-8")
    assert foreign(source, DOMAIN_MAY_IMPORT) == set()
    assert names_used(source) & DOMAIN_MAY_NOT_USE == set()


@pytest.mark.parametrize("path", sorted((ROOT / "contracts").rglob("*.py")), ids=lambda path: path.name)
def test_the_published_contracts_import_only_what_their_rule_allows(path: Path) -> None:
    assert foreign(path.read_text("utf-8"), CONTRACTS_MAY_IMPORT) == set()


def test_no_committed_file_names_a_home_directory() -> None:
    texts = ((path, path.read_bytes().decode("utf-8", "replace")) for path in committed_files())
    assert [str(path.relative_to(ROOT)) for path, text in texts if HOME_DIRECTORY.search(text)] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
