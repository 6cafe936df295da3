"""Jinja2 templates of annotations, in a sandbox: rule files are configuration, not programs.

A template sees ``alertname``, ``labels``, ``count``, ``threshold`` and ``starts_at``, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from jinja2 import Environment, Template, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

VARIABLES = ("alertname", "labels", "count", "threshold", "starts_at")

# What a template may raise on data that it does not fit.
FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_ENVIRONMENT = SandboxedEnvironment(autoescape=False)


def check_template(text: str) -> None:
    """ValueError when the text does not parse or names a variable there is not."""
    if unknown := unknown_variables(_ENVIRONMENT, text, VARIABLES):
        raise ValueError(f"unknown variable {unknown[0]!r} in a template; there are {', '.join(VARIABLES)}")


def unknown_variables(environment: Environment, text: str, known: Iterable[str]) -> list[str]:
    """The variables a template names beyond those known, sorted; ValueError when it does not parse."""
    try:
        tree = environment.parse(text)
        environment.from_string(text)
    except TemplateError as error:
        raise ValueError(f"not a template: {error}") from None
    return sorted(meta.find_undeclared_variables(tree) - set(known) - set(environment.globals))


def render(text: str, variables: Mapping[str, object]) -> str:
    """The text with its variables filled in. What fails on the data becomes a visible text: the alert goes out."""
    try:
        return _compiled(text).render(variables)
    except FAULTS as error:
        return f"<template failed: {error}>"


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)
