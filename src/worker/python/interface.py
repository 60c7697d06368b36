"""The interface of a model: what its class and its streams must have, and in what words a fault is reported."""

import inspect

from streamer_host.failures import ModelFault
from streamer_host.model_file import camel
from streamer_host.output import describe_kind

# Methods of a model.
METHODS = ("infer", "infer_batch", "start", "step", "finish", "dispose", "open", "step_batch", "warm_up", "close")
# Methods that a stream needs, and their parameters.
_NEEDED_OF_STREAM = {"step": ("audio", "call"), "finish": ("call",)}
_OPTIONAL_OF_STREAM = ("reset", "close")
MAX_LISTED = 8


def find_class(module, path):
    """Returns the class Model. Raises ModelFault with what the file has instead."""
    found = getattr(module, "Model", None)
    if inspect.isclass(found):
        return found
    if found is not None:
        raise ModelFault("Model: found %s; allowed: a class (%s)" % (_kind(found), path))
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    classes = [value.__name__ for value in own if inspect.isclass(value)]
    functions = [value.__name__ for value in own if inspect.isfunction(value)]
    parts = ["%s %s" % (kind, ", ".join(names[:MAX_LISTED])) for kind, names in _named(classes, functions)]
    raise ModelFault("the file has no class Model; found: %s (%s)" % ("; ".join(parts) or "no class", path))


def _named(classes, functions):
    for singular, plural, names in (("class", "classes", classes), ("function", "functions", functions)):
        if names:
            yield "the %s" % (singular if len(names) == 1 else plural), names


def _kind(value):
    return "a function" if inspect.isfunction(value) else "a value of the type %s" % type(value).__name__


def construct(model_class, settings, context):
    """Makes the model. `__init__` takes the settings, or the settings and `context`, or nothing."""
    try:
        parameters = inspect.signature(model_class).parameters.values()
    except (TypeError, ValueError):
        return model_class(settings)
    named = {"context": context} if any(parameter.name == "context" for parameter in parameters) else {}
    takes = [
        parameter
        for parameter in parameters
        if parameter.name != "context"
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    return model_class(settings, **named) if takes else model_class(**named)


def is_pinned(model):
    """Returns whether a model is pinned. One that has `open` for its own use beside `infer` or `step` is not."""
    return _has(model, "open") and not _has(model, "infer") and not _has(model, "step")


def find_problem(model, module, max_batch):
    """Returns what a model lacks, in words; None: nothing."""
    for name in METHODS:
        if "_" in name and hasattr(model, camel(name)) and not hasattr(model, name):
            return "%s(): in Python its name is %s()" % (camel(name), name)

    def has(name):
        return _has(model, name)

    if getattr(module, "pinned", False) or is_pinned(model):
        if getattr(module, "stateful", False):
            return "a model is pinned or stateful, not both: a pinned one has open(), a stateful one start() and step()"
        if not has("open"):
            return "a pinned model needs a method open(); Model has none"
        for name in ("infer", "step"):
            if has(name):
                return "a pinned model has no %s(), which belongs to the streams that open() returns" % name
        if max_batch > 1 and not has("step_batch"):
            return "a pinned model with max_batch %d needs a method step_batch()" % max_batch
        problem = find_call_problem(model, "open", ("call",))
        if problem is not None:
            return problem
    elif has("step") or getattr(module, "stateful", False):
        if has("open") and not has("start"):
            return "Model has open() and step(): step() of a pinned model belongs to the streams that open() returns"
        for name in ("start", "step"):
            if not has(name):
                return "a stateful model needs a method %s(); Model has none" % name
    elif not has("infer"):
        return "a model needs a method infer(), or start() and step() if it is stateful, or open() if it is pinned"
    elif max_batch > 1 and not has("infer_batch"):
        return "a model with max_batch %d needs a method infer_batch()" % max_batch
    for name in ("finish", "dispose", "step_batch", "warm_up", "close"):
        found = getattr(model, name, None)
        if found is not None and not callable(found):
            return "%s: found %s; allowed: a method" % (name, _kind(found))
    return None


def class_place(found):
    """Returns the file and the line of a class, in brackets; nothing for one that is built in."""
    try:
        return " (%s:%d)" % (inspect.getsourcefile(found), inspect.getsourcelines(found)[1])
    except (OSError, TypeError):
        return ""


def find_call_problem(owner, name, parameters):
    """Returns why a method cannot be called with these parameters, in words; None: it can, or that is not known."""
    method = getattr(owner, name)
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*parameters)
        return None
    except TypeError:
        found = ", ".join(["self", *map(str, signature.parameters.values())])
        return "%s(): found %s(%s); allowed: %s(%s)" % (name, name, found, name, ", ".join(["self", *parameters]))


def find_stream_problem(stream):
    """Returns what a stream that `open` has returned lacks, in words; None: nothing."""
    lacking = [name for name in _NEEDED_OF_STREAM if not callable(getattr(stream, name, None))]
    if not lacking:
        return _find_method_problem(stream)
    if isinstance(stream, (list, tuple, dict, str, int, float, type(None))):
        return "open() must return a stream, an object with step() and finish(); found %s" % describe_kind(stream)
    names = " and ".join("%s()" % name for name in lacking)
    return "the stream that open() returns needs a method %s; %s has none" % (names, type(stream).__name__)


def _find_method_problem(stream):
    for name in _OPTIONAL_OF_STREAM:
        found = getattr(stream, name, None)
        if found is not None and not callable(found):
            return "%s: found %s; allowed: a method of the stream" % (name, describe_kind(found))
    problems = (find_call_problem(stream, name, parameters) for name, parameters in _NEEDED_OF_STREAM.items())
    return next(filter(None, problems), None)


def _has(model, name):
    return callable(getattr(model, name, None))
