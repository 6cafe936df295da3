"""Resolve a pom with jgo, without Java: ``python -m dev.jgo_resolve POM FOLDER``.

A process of its own, because jgo's resolver is busy Python: two sets resolve on two cores.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext
from jgo.parse import Coordinate

_POM = {"": "http://maven.apache.org/POM/4.0.0"}


def coordinates(pom: Path) -> Iterator[Coordinate]:
    """The pom's dependencies. ``raw``: jgo would otherwise take them for BOMs and pick other versions than mvn."""
    for dependency in ET.parse(pom).iterfind(".//dependency", _POM):
        group, artifact, version = (
            dependency.findtext(name, "", _POM) for name in ("groupId", "artifactId", "version")
        )
        classifier = dependency.findtext("classifier", namespaces=_POM)
        yield Coordinate(group, artifact, version, classifier=classifier, raw=True)


def resolve(pom: Path, target: Path) -> None:
    """Copy every jar of the pom's runtime class path into ``target``."""
    # A repository of its own that is thrown away: jgo takes half a file of an interrupted run for a whole one.
    with tempfile.TemporaryDirectory(dir=target.parent) as repository:
        context = MavenContext(repo_cache=Path(repository), timeout=60)
        asked = [context.create_dependency(coordinate) for coordinate in coordinates(pom)]
        endpoints, transitive = context.resolver.resolve(asked)
        with ThreadPoolExecutor(8) as pool:
            for jar in pool.map(lambda dependency: dependency.artifact.resolve(), endpoints + transitive):
                shutil.move(jar, target / jar.name)


if __name__ == "__main__":
    resolve(Path(sys.argv[1]), Path(sys.argv[2]))
