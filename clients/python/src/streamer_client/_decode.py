"""Reads dataclasses from JSON objects, by their annotations."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, Callable, Collection, Dict, List, Mapping, Tuple, Union, get_args, get_origin, get_type_hints

Reader = Callable[[Any, str], Any]

#: Fields of a class: name, whether it may be absent, and how it is read.
Plan = Tuple[Tuple[str, bool, Reader], ...]


class EventError(ValueError):
    """A message is not an event of the protocol. The text names the field, what came, and what is allowed."""


def decode(cls: Any, body: Mapping[str, Any], path: str, added: Collection[str], values: Dict[str, Any]) -> Any:
    """Return an instance of a dataclass. Fields in `added` are not read from `body`; `values` may have them."""
    for name, is_optional, read in _plan(cls, frozenset(added)):
        value = body.get(name)
        if value is not None:
            values[name] = read(value, f"{path}.{name}")
        elif not is_optional:
            raise EventError(f"{path}.{name}: found nothing; the field is required")
    return cls(**values)


@lru_cache(maxsize=64)
def _plan(cls: Any, added: Collection[str]) -> Plan:
    hints = get_type_hints(cls)
    plan: List[Tuple[str, bool, Reader]] = []
    for item in fields(cls):
        if item.name not in added:
            is_optional = item.default is not MISSING or item.default_factory is not MISSING
            plan.append((item.name, is_optional, _reader(hints[item.name], added)))
    return tuple(plan)


def _reader(hint: Any, added: Collection[str]) -> Reader:
    if get_origin(hint) is Union:
        return _reader(get_args(hint)[0], added)
    if get_origin(hint) is tuple:
        read = _reader(get_args(hint)[0], added)
        return lambda value, path: tuple(
            read(each, f"{path}.{index}") for index, each in enumerate(_of(list, "an array", value, path))
        )
    if is_dataclass(hint):
        return lambda value, path: decode(hint, _of(dict, "an object", value, path), path, added, {})
    return _SCALARS[hint]


def _of(kind: Any, allowed: str, value: Any, path: str) -> Any:
    if isinstance(value, kind) and not (kind is not bool and isinstance(value, bool)):
        return value
    raise EventError(f"{path}: found {type(value).__name__}; allowed: {allowed}")


def _count(value: Any, path: str) -> int:
    whole: int = _of(int, "a whole number", value, path)
    if whole < 0:
        raise EventError(f"{path}: found {whole}; allowed: 0 or more")
    return whole


_SCALARS: Mapping[Any, Reader] = {
    int: _count,
    float: lambda value, path: float(_of((int, float), "a number", value, path)),
    str: lambda value, path: _of(str, "a text", value, path),
    bool: lambda value, path: _of(bool, "true or false", value, path),
}
