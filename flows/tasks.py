"""Prefect's tasks as this project uses them."""

from collections.abc import Callable
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE


def make_task(function: Callable[..., Any], name: str, **options: Any) -> Any:
    """A task without Prefect's own caching: DVC knows what is up to date, and a finished model is not built again."""
    return Task(function, name=name, cache_policy=NO_CACHE, persist_result=False, **options)
