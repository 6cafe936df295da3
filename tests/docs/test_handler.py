"""docs/handler.md: every option is there with its default, and every example runs."""

from __future__ import annotations

import inspect
import logging
import logging.config
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kafka_logging
from kafka_logging.config import DEFAULTS
from kafka_logging.testing import FakeProducer

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "handler.md").read_text(encoding="utf-8")
NAMES = ["plain code", "dictConfig", "Django", "gunicorn", "Celery", "Airflow", "tests"]
BLOCKS = re.findall(r"```(python|ini)\n(.*?)```", TEXT, re.DOTALL)
PARAMETERS = [
    parameter
    for parameter in inspect.signature(kafka_logging.KafkaLoggingHandler).parameters.values()
    if parameter.kind is not inspect.Parameter.VAR_KEYWORD
]


class Documented(kafka_logging.KafkaLoggingHandler):
    """The handler with a Producer in memory."""

    def _make_producer(self, properties: dict[str, Any]) -> FakeProducer:
        return FakeProducer(properties)


@pytest.fixture
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger, put back as it was; the handler that examples import sends nothing."""
    monkeypatch.setattr(kafka_logging, "KafkaLoggingHandler", Documented)
    root, shop = logging.getLogger(), logging.getLogger("shop")
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    disabled = {name: getattr(logger, "disabled", False) for name, logger in root.manager.loggerDict.items()}
    yield root
    for name, logger in root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):  # gunicorn's example disables those there are
            logger.disabled = disabled.get(name, False)
    for handler in (*root.handlers, *shop.handlers):
        handler.close()
    shop.handlers.clear()
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_every_option_is_documented_with_its_default(parameter: inspect.Parameter) -> None:
    [row] = [line for line in TEXT.splitlines() if line.startswith(f"| `{parameter.name}` |")]
    default = row.split("|")[2].strip(" `")
    assert default in (str(parameter.default), f"KAFKA_LOG_{parameter.name.removesuffix('_list').upper()}")


def test_every_property_of_ours_is_documented() -> None:
    for name, value in DEFAULTS.items():
        text = f"{value}".lower() if isinstance(value, bool) else f"{value}"
        assert f"`{name}={text}`" in TEXT


@pytest.mark.parametrize("source", [source for language, source in BLOCKS if language == "python"], ids=NAMES)
def test_every_example_runs(source: str, loggers: logging.Logger) -> None:
    names: dict[str, Any] = {}
    exec(source, names)
    for config in (names.get("LOGGING"), names.get("logconfig_dict")):
        if config:
            logging.config.dictConfig({"version": 1, **config})  # gunicorn adds the version
    loggers.handlers[:] = [each for each in loggers.handlers if isinstance(each, Documented)]  # pytest's
    if "setup_logging" in names:
        names["setup_logging"].send(sender=None)
        names["setup_logging"].disconnect(names["log_to_kafka"])
    made = [handler for handler in loggers.handlers if isinstance(handler, Documented)]
    if "LOGGING_CONFIG" in names:
        assert names["LOGGING_CONFIG"]["root"]["handlers"][-1] == "kafka"
    elif "CaptureHandler" not in names:
        loggers.error("sent")
        assert made[0].stats().emitted == made[0].stats().queued >= 1


def test_the_logging_conf_runs(loggers: logging.Logger, tmp_path: Path) -> None:
    [source] = [source for language, source in BLOCKS if language == "ini"]
    conf = tmp_path / "logging.conf"
    conf.write_text(source.replace("/var/spool/shop", str(tmp_path)))
    logging.config.fileConfig(conf, disable_existing_loggers=False)
    loggers.error("sent", extra={"request_id": "r-1"})
    assert loggers.handlers[-1].stats().queued == 1  # type: ignore[attr-defined]
