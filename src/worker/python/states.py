"""States of streams: values that travel between workers as bytes."""

import pickle

from streamer_host.failures import ModelFault, describe

MAX_STATE_BYTES = 64 * 1024 * 1024

_MAX_DEPTH = 8
_MAX_VALUES = 10000


def save(state):
    """Returns the bytes of a state. Raises ModelFault when it cannot be pickled or is too large."""
    try:
        data = pickle.dumps(state, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        place = find_unpickled(state)
        where = "" if place is None else " (%s)" % place
        raise ModelFault("the model's state cannot be pickled: %s%s" % (describe(error), where)) from error
    if len(data) > MAX_STATE_BYTES:
        raise ModelFault("the model's state has %d bytes; allowed: %d" % (len(data), MAX_STATE_BYTES))
    return data


def restore(data):
    """Returns a copy of the state that `save` has got."""
    try:
        return pickle.loads(data)
    except Exception as error:
        raise ModelFault("the model's state cannot be restored by pickle: %s" % describe(error)) from error


def find_unpickled(state):
    """Returns the path and the type of a value in a state that cannot be pickled, as far as a bounded search finds."""
    seen = set()

    def search(value, path, depth):
        if id(value) in seen or depth > _MAX_DEPTH or len(seen) >= _MAX_VALUES or _is_pickled(value):
            return None
        seen.add(id(value))
        for name, inner in _parts(value):
            found = search(inner, path + name, depth + 1)
            if found is not None:
                return found
        return "%s is a %s" % (path, type(value).__name__)

    return search(state, "state", 0)


def _is_pickled(value):
    try:
        pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        return True
    except Exception:
        return False


def _parts(value):
    if isinstance(value, dict):
        return [("[%.60r]" % (key,), inner) for key, inner in value.items()]
    if isinstance(value, (list, tuple)):
        return [("[%d]" % i, inner) for i, inner in enumerate(value)]
    fields = getattr(value, "__dict__", None)
    return [(".%s" % name, inner) for name, inner in fields.items()] if isinstance(fields, dict) else []
