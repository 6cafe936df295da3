"""The package as pip installs it: an environment may be older than what the package has to say to Airflow."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def installed(folder: Path) -> Path:
    """The folder, to be put on the path, with the metadata of an installed package in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = folder / f"faultline-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: faultline\nVersion: {project['version']}\n")
    points = project["entry-points"]["apache_airflow_provider"].items()
    lines = ["[apache_airflow_provider]", *(f"{name} = {target}" for name, target in points)]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder
