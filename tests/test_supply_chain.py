"""What is installed is what was locked: versions, digests, floors for known advisories, licences."""

import re
import runpy
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CI = runpy.run_path(str(ROOT / ".ci" / "licences.py"))
LOCKED: dict[str, str] = CI["locked"]()
canonical = CI["canonical"]
OUTSIDE = {"pip", "setuptools", "wheel"}
"""What every virtual environment has."""

FLOORS = {
    "faiss-cpu": "1.15",  # reading of hostile index files
    "gradio": "6.20",  # 21 advisories
    "pdfminer-six": "20251230",  # CVE-2025-64512, pickled character maps
    "pypdf": "6.7",  # resource exhaustion
    "lxml": "6", "h11": "0.16", "jinja2": "3.1.6", "python-multipart": "0.0.22", "starlette": "0.49.1", "urllib3": "2.6.3", "pillow": "12.1.1",
    "requests": "2.32.4", "cryptography": "46.0.5", "filelock": "3.20.1", "transformers": "5", "torch": "2.6", "pyjwt": "2.10",
}
PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|MPL|Mozilla Public License 2\.0|Zlib|CC0|0BSD|BSL-1\.0|CNRI|Unlicense|OSI Approved|CC BY-SA 4\.0 \(the dictionary", re.I)
COPYLEFT = re.compile(r"\b(A|L)?GPL|GNU|SSPL|BUSL|Commons Clause|Non-?Commercial", re.I)


def needed(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Everything that a package needs here, itself included, by its installed metadata."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    yield name
    for line in requires(name) or []:
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield from needed(canonical(wanted.name), frozenset(wanted.extras), seen)


@pytest.fixture(scope="module")
def closure() -> set[str]:
    """Wenju with its tests: by pyproject, not by what its installed copy says, which may be older."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    seen: set[tuple[str, frozenset[str]]] = set()
    wanted = [Requirement(line) for line in (*project["dependencies"], *(line for name in ("eval", "milvus", "ocr", "test") for line in extras[name]))]
    return {name for one in wanted if one.name != "wenju" for name in needed(canonical(one.name), frozenset(one.extras), seen)}


def test_what_is_installed_is_what_was_locked(closure: set[str]) -> None:
    installed = {name: version(name).partition("+")[0] for name in closure - OUTSIDE}  # torch's builds have a mark of their own
    assert installed == {name: LOCKED.get(name) for name in installed}


def test_nothing_is_locked_that_nobody_needs(closure: set[str]) -> None:
    assert LOCKED.keys() - closure == set()


def test_every_file_of_every_version_has_its_digest() -> None:
    lock = (ROOT / ".ci" / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.findall(r"^(\S+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", lock, re.M)
    assert {canonical(name): number for name, number, _ in blocks} == {name: number for name, number in LOCKED.items() if name != "torch"}
    assert lock.count("--hash") == sum(digests.count("--hash") for *_, digests in blocks) and len(lock.splitlines()) == lock.count("--hash") + len(blocks)


def test_nothing_is_older_than_its_advisories_allow() -> None:
    assert len(FLOORS.keys() & LOCKED.keys()) > 10
    for name, floor in FLOORS.items():
        for number in filter(None, (LOCKED.get(name), _installed(name))):
            assert number.partition("+")[0] in SpecifierSet(f">={floor}"), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {canonical(r.name): r.specifier for r in map(Requirement, project["dependencies"])}
    for name in asked.keys() & FLOORS.keys():
        assert max(Version(one.version) for one in asked[name]) >= Version(FLOORS[name]), f"{name} needs a floor in pyproject.toml"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def test_the_list_of_licences_is_that_of_what_is_locked() -> None:
    listed = (ROOT / ".ci" / "licences.txt").read_text(encoding="utf-8").splitlines()
    assert listed == CI["listed"](), "run make lock"
    for line in listed:
        assert PERMISSIVE.search(line.partition(": ")[2]) and not COPYLEFT.search(line.partition(": ")[2]), line


def test_an_installed_file_that_was_changed_would_be_seen(closure: set[str]) -> None:
    """Every module of the libraries that read what strangers send is byte for byte what its wheel held."""
    import base64
    import hashlib

    for name in ("selectolax", "pypdfium2", "faiss-cpu", "safetensors", "tokenizers", "pyjwt", "python-multipart", "starlette"):
        for file in distribution(name).files or []:
            if file.hash and file.suffix in (".py", ".so"):
                digest = hashlib.new(file.hash.mode, Path(file.locate()).read_bytes()).digest()
                assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value, file
