"""Prints the fields that the client library for Python knows, and parses the examples of the contract on its input."""

import dataclasses
import json
import sys
import typing

import streamer_client
from streamer_client._parse import ADDED_FIELDS, EVENTS, parse_event

KINDS = {int: "integer", float: "number", str: "string", bool: "boolean"}


def kind_of(hint):
    if typing.get_origin(hint) is typing.Union:
        return kind_of(typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        return [kind_of(typing.get_args(hint)[0])]
    return fields_of(hint) if dataclasses.is_dataclass(hint) else KINDS[hint]


def fields_of(event):
    hints = typing.get_type_hints(event)
    return {
        field.name: {
            "kind": kind_of(hints[field.name]),
            "required": field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        }
        for field in dataclasses.fields(event)
        if field.name not in ADDED_FIELDS
    }


examples = [parse_event(example) for example in json.load(sys.stdin)]
print(
    json.dumps(
        {
            "events": {name: fields_of(event) for name, event in EVENTS.items()},
            "start": sorted({"format", "resume", "request", *streamer_client.StartFields.__annotations__}),
            "vad": sorted(streamer_client.VadSettings.__annotations__),
            "examples": [event.type for event in examples],
        }
    )
)
