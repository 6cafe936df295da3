"""The jars of Kafka and HDFS, from Maven Central by mvn or, where there is none, by jgo from PyPI.

``poms/<name>.xml`` says what is wanted, ``poms/<name>.sha256`` is the exact result: a set that differs from it in a
single byte is not used. After a change of a pom: resolve it once with mvn and write ``sha256sum *.jar`` to that file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev.errors import DevError
from dev.paths import ROOT, STATE, file_lock

POMS = Path(__file__).parent / "poms"
NAMES = ("kafka", "hdfs")


def find_tool(environ: Mapping[str, str] = os.environ) -> str:
    """``mvn`` if there is one, else ``jgo``; ``FAULTLINE_JARS`` takes the choice away."""
    choice = environ.get("FAULTLINE_JARS", "")
    if choice not in {"", "mvn", "jgo"}:
        raise DevError(f"FAULTLINE_JARS is {choice!r}; it may be mvn or jgo")
    mvn = shutil.which("mvn", path=environ.get("PATH"))
    if choice == "mvn" and not mvn:
        raise DevError("FAULTLINE_JARS=mvn, but mvn is not on the PATH")
    return choice or ("mvn" if mvn else "jgo")


def fetch_all(tool: str | None = None) -> dict[str, Path]:
    """Every set, by name, side by side; the folder of each is complete or does not exist."""
    tool = tool or find_tool()
    with ThreadPoolExecutor(len(NAMES)) as pool:
        return dict(zip(NAMES, pool.map(lambda name: fetch(name, tool), NAMES), strict=True))


def fetch(name: str, tool: str, cache: Path = STATE / "jars") -> Path:
    """The folder with one set's jars; resolved and checked on the first call, found again on the next."""
    wanted = (POMS / f"{name}.sha256").read_text()
    folder = cache / f"{tool}-{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    with file_lock(cache / f"{tool}-{name}.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix=f"{folder.name}.part-", dir=cache) as part:
                jars = Path(part, "jars")
                jars.mkdir()
                _resolve(name, tool, jars)
                check(jars, wanted)
                jars.rename(folder)
    return folder


def check(folder: Path, wanted: str) -> None:
    """DevError unless the folder holds exactly the files of a ``sha256sum`` listing."""
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.iterdir()}
    expected = {name: digest for digest, name in (line.split() for line in wanted.splitlines())}
    wrong = sorted({name for name, _ in found.items() ^ expected.items()})
    if wrong:
        raise DevError(f"downloaded jars are not the expected ones, nothing of them is used: {', '.join(wrong)}")


def _resolve(name: str, tool: str, target: Path) -> None:
    pom = POMS / f"{name}.xml"
    commands = {
        "mvn": [
            *("mvn", "--batch-mode", "--quiet", f"--file={pom}", "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={target}"),
        ],
        "jgo": [sys.executable, "-m", "dev.jgo_resolve", str(pom), str(target)],
    }
    done = subprocess.run(commands[tool], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last_lines = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise DevError(f"{tool} could not get the jars of {name}; the next try starts afresh:\n{last_lines}")
