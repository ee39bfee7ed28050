"""Subsets of services: the instances that a target like `cart[tag=v2]` means. Knows no routes and no nodes."""

from __future__ import annotations

from .language.targets import Selector, selectors
from .model import Instance


def chosen(target: str, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """The instances that have all the target's tags and meta."""
    wanted = selectors(target)
    return tuple(one for one in instances if all(_has(one, selector) for selector in wanted))


def values_of(selector: Selector, instances: tuple[Instance, ...]) -> tuple[str, ...]:
    """What the instances have there: all their tags, or their values of that meta."""
    if not selector.name:
        found = {tag for one in instances for tag in one.tags}
    else:
        found = {value for one in instances for name, value in one.meta if name == selector.name}
    return tuple(sorted(found))


def _has(instance: Instance, selector: Selector) -> bool:
    if not selector.name:
        return selector.value in instance.tags
    return (selector.name, selector.value) in instance.meta
