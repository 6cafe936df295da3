"""The README keeps its word: its example runs, its commands and files exist."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from kafka_logging import KafkaLoggingHandler

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_its_three_lines_put_the_handler_into_an_application() -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    before = list(logging.getLogger().handlers)
    try:
        exec(example, {})
        [handler] = [each for each in logging.getLogger().handlers if each not in before]
        assert isinstance(handler, KafkaLoggingHandler)
        assert '"appName":"checkout"' in handler.format(logging.LogRecord("x", 40, "f.py", 1, "hello", (), None))
    finally:
        for added in set(logging.getLogger().handlers) - set(before):
            logging.getLogger().removeHandler(added)
            added.close()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README)) - {"help"}))
def test_every_make_target_it_names_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_make_target_is_there_once_and_those_of_all_pages_are_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(targets) == len(set(targets))
    assert {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())} <= set(targets)


def test_ci_runs_its_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def _shape(readme: str) -> list[str]:
    """Headings by their depth, code without its comments, list items and table rows by their links, in their order."""
    shape, code = [], ""
    for line in readme.splitlines():
        if line.startswith("```"):
            code = "" if code else line.strip("`")
            shape.append(line)
        elif code:
            # Of a diagram the words differ, of a command only what a comment says of it.
            arrows = " ".join(re.findall(r"^ *\w+|--> \w+", line))
            shape.append(arrows if code == "mermaid" else line.partition(" #")[0].rstrip())
        elif kind := re.match(r"#+ |- |\|", line):
            shape.append(" ".join([kind[0], *re.findall(r"\]\(([^)]+)\)", line)[:1]]) if kind[0] == "|" else kind[0])
    return shape


def test_the_chinese_one_has_the_same_headings_commands_code_and_rows() -> None:
    assert _shape(CHINESE) == _shape(README)


def test_the_chinese_one_names_the_same_commands_files_and_links() -> None:
    def named(readme: str) -> set[str]:
        return {*re.findall(r"`([^`\n]+)`", readme), *re.findall(r"\]\(([^)]+)\)", readme)} - {
            "README.md",
            "README.zh.md",
        }

    assert named(CHINESE) == named(README)
