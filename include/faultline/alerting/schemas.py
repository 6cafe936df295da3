"""The JSON Schemas of the files people write, from the models that read them."""

from __future__ import annotations

import json

from pydantic import BaseModel

from faultline.alerting.rulefile import RulesFile
from faultline.alerting.testfile import TestFile
from faultline.topicfile import TopicsFile

_MODELS: dict[str, type[BaseModel]] = {"rules": RulesFile, "topics": TopicsFile, "tests": TestFile}


def json_schema(of: str) -> str:
    """The schema of ``rules``, ``topics`` or ``tests`` files, as text."""
    schema = _MODELS[of].model_json_schema(by_alias=True, mode="validation")
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(document, indent=2, ensure_ascii=False)
