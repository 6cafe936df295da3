"""The README keeps its word: its example runs, its commands and files exist."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from kafka_logging import KafkaLoggingHandler

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


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


def test_ci_runs_its_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
