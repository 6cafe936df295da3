"""Where the archive may be killed is named in the code, and every name is killed at in a test."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import faultline

TESTS = Path(__file__).parent
CODE = Path(faultline.__file__).parent
FILES = [*(CODE / "archive").rglob("*.py"), CODE / "steps" / "marks.py", CODE / "adapters" / "small_files.py"]


def named_steps() -> dict[str, tuple[str, ...]]:
    """Every tuple of steps of the archive and its marks, by its name."""
    found = pkgutil.iter_modules([str(CODE / "archive")], "faultline.archive.")
    modules = [importlib.import_module(name) for name in [*(each.name for each in found), "faultline.steps.marks"]]
    return {name: value for module in modules for name, value in vars(module).items() if name.endswith("STEPS")}


def test_every_checkpoint_is_a_named_step_and_every_step_has_its_checkpoint() -> None:
    used = {step for file in FILES for step in re.findall(r'checkpoint\("(\w+)"\)', file.read_text())}
    assert used == {step for steps in named_steps().values() for step in steps}


def test_every_list_of_steps_is_killed_at_by_a_test() -> None:
    """The tests take the lists whole, so a step that is added is one more test."""
    kills = "".join(file.read_text() for file in TESTS.glob("test_*crashes.py"))
    assert len(named_steps()) > 1
    assert {name for name in named_steps() if not re.search(rf"(?<!_){name}\b(?! import)", kills)} == set()
