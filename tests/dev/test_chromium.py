"""dev/chromium.sh: there is a Chromium afterwards, or a sentence that says what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.paths import ROOT

TOOLS = ("bash", "dirname", "env")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with next to nothing in it."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def command(path: Path, name: str, script: str) -> None:
    """Put a command of that name into the PATH."""
    file = path / name
    file.write_text(f"#!{path}/bash\n{script}\n")
    file.chmod(0o755)


def run(path: Path) -> tuple[int, str]:
    environment = {**os.environ, "PATH": str(path)}
    script = ("bash", str(ROOT / "dev" / "chromium.sh"))
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def apt_get(path: Path) -> None:
    """An apt-get that writes down what it is asked, and a chromium where it is asked to install one."""
    chromium = path / "chromium"
    install = f'echo "#!" >"{chromium}"; "{shutil.which("chmod")}" +x "{chromium}"'
    command(path, "apt-get", f'echo "$*" >>"{path}/asked"; [ "$1" = update ] || {{ {install}; }}')


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_one_that_is_there_is_enough(path: Path, name: str) -> None:
    command(path, name, "exit 1")
    assert run(path) == (0, "")


def test_root_installs_it(path: Path) -> None:
    command(path, "id", "echo 0")
    apt_get(path)
    code, said = run(path)
    assert (code, said) == (0, "Installing chromium with apt-get ...\n")
    assert "chromium" in (path / "asked").read_text().splitlines()[-1].split()


def test_who_may_become_root_installs_it(path: Path) -> None:
    command(path, "id", "echo 1000")
    command(path, "sudo", '[ "$1" = -n ] && shift; "$@"')
    command(path, "true", "exit 0")
    apt_get(path)
    assert run(path)[0] == 0


@pytest.mark.parametrize(
    ("user", "commands", "said"),
    [
        (1000, {}, "this is not root, and sudo asks for a password"),
        (1000, {"sudo": "exit 1"}, "this is not root, and sudo asks for a password"),
        (0, {}, "there is no apt-get"),
        (0, {"apt-get": "exit 100"}, "apt-get could not install it"),
        (0, {"apt-get": "exit 0"}, "This distribution's package called chromium has none in it"),
    ],
    ids=["no sudo", "a sudo that asks", "no apt-get", "no network", "an empty package"],
)
def test_where_it_cannot_be_installed_it_says_what_to_do(
    path: Path, user: int, commands: dict[str, str], said: str
) -> None:
    command(path, "id", f"echo {user}")
    for name, script in commands.items():
        command(path, name, script)
    code, error = run(path)
    assert code == 1
    assert f"error: no Chromium found, and the page is tested in one. {said}" in error.replace(
        "It cannot be installed from here: ", ""
    )
    assert "apt-get install chromium" in error
