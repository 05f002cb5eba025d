"""Real tools of real clients: graphql-codegen, tsc, relay-compiler, Apollo's manifest, and a typed client at work."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from database.session import open_database
from tests.contract.consumers import consumer_operations
from tests.contract.gateways import registered
from tests.contract.npm_tools import node, npm_folder, tool
from tests.live_servers import live_catalog

pytestmark = pytest.mark.long(0.6)

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "schema" / "schema.graphql"
OPERATION = re.compile(r"^(query|mutation|subscription) (\w+)", re.MULTILINE)


def project(folder: Path, contract: str) -> Path:
    """Copy the web client below `folder`, beside a contract, and lend it the packages that are installed."""
    web = folder / "clients" / "web"
    ignored = shutil.ignore_patterns("node_modules", "dist", "gql")
    shutil.copytree(ROOT / "clients" / "web", web, ignore=ignored)
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.graphql").write_text(contract, encoding="utf-8")
    (web / "node_modules").symlink_to(npm_folder() / "node_modules")
    return web


def generate(web: Path, *, check: bool = True) -> str:
    """Run graphql-codegen and return what it said."""
    done = node(tool("@graphql-codegen/cli", "graphql-codegen"), "--config", "codegen.ts", cwd=web, check=check)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The web client, generated from the contract and compiled by tsc in strict mode."""
    web = project(tmp_path_factory.mktemp("web"), CONTRACT.read_text(encoding="utf-8"))
    generate(web)
    node(tool("typescript", "tsc"), cwd=web)
    return web


@pytest.fixture
def address(postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a server with the small catalog and content, and with an account."""
    with live_catalog(postgres_url, tmp_path) as served:
        yield served


SIGN_UP = """
mutation { signUp(input: {email: "ada@example.org", password: "correct horse", displayName: "Ada"}) {
  userErrors { code } } }
"""


def test_typed_client_signs_in_chooses_enrolls_learns_and_is_assessed(built: Path, address: str) -> None:
    """The example of clients/web, compiled, against a running server."""
    assert {"signUp": {"userErrors": []}} == httpx.post(address, json={"query": SIGN_UP}).json()["data"]
    done = node("dist/main.js", address, "ada@example.org", "correct horse", "course-1", cwd=built)
    told: dict[str, Any] = json.loads(done.stdout)
    assert ("Science", "Course 01") == (told["topic"], told["course"])
    # Four lessons and an assessment: all but the assessment are done.
    assert 0.8 == pytest.approx(told["progress"])
    assert 5 == len(told["recommended"])
    assert told["score"].endswith("of 8")


def test_wrong_password_is_a_refusal_with_its_code(built: Path, address: str) -> None:
    """The client tells the person what the server said."""
    done = node("dist/main.js", address, "ada@example.org", "wrong horse", "course-1", cwd=built, check=False)
    assert 0 != done.returncode
    assert "INVALID_CREDENTIALS" in done.stderr


def test_field_that_is_renamed_in_the_contract_breaks_the_build(tmp_path: Path) -> None:
    """Not at run time on somebody's phone."""
    renamed = CONTRACT.read_text(encoding="utf-8").replace("  recommendationId: ID!\n", "  recommendationKey: ID!\n")
    web = project(tmp_path, renamed)
    assert 'Cannot query field "recommendationId"' in generate(web, check=False)


def test_type_that_changes_in_the_contract_breaks_the_compilation(tmp_path: Path) -> None:
    """A number that becomes a text is found by tsc where it is used."""
    contract = CONTRACT.read_text(encoding="utf-8")
    changed = contract.replace("  progress: Float!\n", "  progress: String!\n")
    assert changed != contract
    web = project(tmp_path, changed)
    generate(web)
    done = node(tool("typescript", "tsc"), cwd=web, check=False)
    assert 0 != done.returncode
    assert "Type 'string' is not assignable to type 'number'" in done.stdout


def test_packages_of_the_example_are_those_that_are_tested() -> None:
    """The client's own list names the same versions as the tools of these tests."""
    web = json.loads((ROOT / "clients" / "web" / "package.json").read_text(encoding="utf-8"))
    tested = json.loads((ROOT / "tests" / "contract" / "npm" / "package.json").read_text(encoding="utf-8"))
    wanted = {**web["dependencies"], **web["devDependencies"]}
    assert wanted == {name: tested["dependencies"].get(name) for name in wanted}


def _named(text: str, suffix: str) -> tuple[str, str]:
    """Return an operation renamed by Relay's rule, which starts with its file's name, and that name."""
    found = OPERATION.search(text)
    assert found is not None
    kind = found[1].capitalize()
    return OPERATION.sub(rf"\g<1> \g<2>{suffix}{kind}", text, count=1), f"{found[2]}{suffix}"


async def test_relay_compiles_the_operations_and_its_manifest_registers(database_url: str, tmp_path: Path) -> None:
    """relay-compiler understands every operation of the apps, and the server what it persists."""
    source = tmp_path / "src"
    source.mkdir()
    names = set()
    for number, operation in enumerate(consumer_operations()):
        text, name = _named(operation.text, f"{number}")
        fragments = re.sub(r"fragment (\w+) on", rf"fragment {name}_\1 on", text)
        fragments = re.sub(r"\.\.\.(?!\s*on\b)\s*(\w+)", rf"...{name}_\1", fragments)
        (source / f"{name}.js").write_text(
            f'import {{ graphql }} from "relay-runtime";\nexport const q = graphql`{fragments}`;\n', encoding="utf-8"
        )
        names.add(name)
    shutil.copy(CONTRACT, tmp_path / "schema.graphql")
    (tmp_path / "persisted.json").write_text("{}", encoding="utf-8")
    settings = {
        "src": "./src",
        "language": "javascript",
        "schema": "./schema.graphql",
        "artifactDirectory": "./src/__generated__",
        "persistConfig": {"file": "./persisted.json", "algorithm": "SHA256"},
    }
    (source / "__generated__").mkdir()
    (tmp_path / "relay.config.json").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    node(tool("relay-compiler", "relay-compiler"), "relay.config.json", cwd=tmp_path)
    persisted = json.loads((tmp_path / "persisted.json").read_text(encoding="utf-8"))
    assert len(names) == len(persisted)
    async with open_database(database_url) as database:
        done = await registered(database, tmp_path, persisted)
    assert (len(persisted), []) == (done.new, done.problems)


async def test_apollo_makes_a_manifest_that_registers(database_url: str, tmp_path: Path) -> None:
    """generate-persisted-query-manifest, with its own normalization of the documents."""
    source = tmp_path / "src"
    source.mkdir()
    for operation in consumer_operations():
        consumer = operation.name.partition("/")[0].replace("-", "")
        text = OPERATION.sub(rf"\g<1> \g<2>_{consumer}", operation.text, count=1)
        (source / f"{operation.name.replace('/', '-')}.graphql").write_text(text, encoding="utf-8")
    config = 'module.exports = { documents: ["src/*.graphql"], output: "manifest.json" };\n'
    (tmp_path / "persisted-query-manifest.config.cjs").write_text(config, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(npm_folder() / "node_modules")
    node(
        tool("@apollo/generate-persisted-query-manifest", "generate-persisted-query-manifest"),
        "--config",
        "persisted-query-manifest.config.cjs",
        cwd=tmp_path,
    )
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert len(consumer_operations()) == len(manifest["operations"])
    async with open_database(database_url) as database:
        done = await registered(database, tmp_path, manifest)
    assert (len(manifest["operations"]), []) == (done.new, done.problems)


async def test_codegen_makes_a_manifest_that_registers(built: Path, database_url: str, tmp_path: Path) -> None:
    """The client preset's persisted documents, by hash."""
    manifest = json.loads((built / "src" / "gql" / "persisted-documents.json").read_text(encoding="utf-8"))
    async with open_database(database_url) as database:
        done = await registered(database, tmp_path, manifest)
    assert (len(manifest), []) == (done.new, done.problems)
