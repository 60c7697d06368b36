"""The model file: imports it, and reads what it declares."""

import importlib.machinery
import importlib.util
import inspect
import math
import os
import re
import sys

from streamer_host import arrays
from streamer_host.failures import ModelFault, describe, place_of

# Names of a model file, as the server gets them.
FIELDS = (
    "name",
    "sample_rate",
    "max_batch",
    "max_batch_wait_ms",
    "idempotent",
    "stateful",
    "pinned",
    "concurrency",
    "traces",
    "settings",
    "options",
)


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the file itself: bytecode in a cache may be of a version that was saved in the same second."""

    def get_code(self, fullname):
        return self.source_to_code(self.get_data(self.path), self.path)


def _compile_anew(folder):
    """Has modules in the folder of the model compiled without a cache, too, but not those of packages installed in it."""
    open_finder = importlib.machinery.FileFinder.path_hook(
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
    )
    library = os.path.dirname(os.path.realpath(os.__file__))

    def hook(path):
        place = os.path.realpath(path)
        if not (place + os.sep).startswith(os.path.join(folder, "")) or "site-packages" in place.split(os.sep):
            raise ImportError(path)
        if (place + os.sep).startswith(library + os.sep):
            raise ImportError(path)
        return open_finder(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def import_model(path):
    """Imports the model file under the name of the file, so that pickle finds its classes in every worker."""
    # Neighbours of a file that is linked are where it is, as for every program in Python.
    folder = os.path.dirname(os.path.realpath(path))
    sys.path.insert(0, folder)
    _compile_anew(folder)
    sys.argv[:] = [path]
    stem = os.path.splitext(os.path.basename(path))[0]
    # A file such as json.py must not replace a module that others use.
    name = stem if stem not in sys.modules and "." not in stem else "streamer_model_%s" % stem.replace(".", "_")
    loader = _SourceLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path, loader=loader))
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException as error:
        raise ModelFault(_describe_import(error, path, stem)) from error
    return module


def _describe_import(error, path, stem):
    """Describes what the import has raised. The words follow "model X cannot be loaded: "."""
    if isinstance(error, SyntaxError):
        file = error.filename if error.filename and not error.filename.startswith("<") else path
        place = "%s:%s" % (file, error.lineno) if error.lineno else file
        return "it cannot be parsed: %s (%s%s)" % (error.msg, place, ":%d" % error.offset if error.offset else "")
    folder = os.path.dirname(os.path.realpath(path))
    place = place_of(error, folder) or place_of(error, os.path.dirname(path)) or path
    text = "its import raises %s (%s)" % (describe(error), place)
    if isinstance(error, (AttributeError, ImportError)) and re.search("(module|from( partially.*)?) '%s'" % re.escape(stem), str(error)):
        return "%s; the file has the name of a module that it imports: rename it" % text
    if isinstance(error, ModuleNotFoundError) and error.name:
        return "%s; %s" % (text, _describe_missing(error.name.split(".")[0]))
    return text


def _describe_missing(package):
    version = ".".join(map(str, sys.version_info[:3]))
    return "the interpreter is %s (Python %s): `%s` installs it%s if the package has the name of its module, and model.python chooses another interpreter" % (
        sys.executable,
        version,
        ("%s -m venv .venv && .venv/bin/pip install %s" if _is_managed() else "%s -m pip install %s") % (sys.executable, package),
        ", in the folder of the model," if _is_managed() else " there",
    )


def _is_managed():
    """True for an interpreter whose packages only the package manager of the system may install (PEP 668)."""
    import sysconfig  # It takes some milliseconds, for this message alone.

    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    return sys.prefix == sys.base_prefix and os.path.exists(marker)


def declaration(module):
    """Returns what the file declares, as far as JSON has it, the types of other values, and strange spellings."""
    values, kinds = {}, {}
    for field in FIELDS:
        value = getattr(module, field, None)
        if value is None or (field in ("name", "settings", "options") and inspect.ismodule(value)):
            continue
        try:
            values[field] = _declared(value)
        except _Undeclarable as problem:
            kinds[field] = str(problem)
    misspelled = [camel(field) for field in FIELDS if "_" in field and hasattr(module, camel(field))]
    return {"values": values, "kinds": kinds, "misspelled": misspelled}


class _Undeclarable(Exception):
    pass


def _declared(value, depth=0):
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise _Undeclarable(repr(value))
    if isinstance(value, dict) and depth < 8 and all(isinstance(name, str) for name in value):
        return {name: _declared(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)) and depth < 8:
        return [_declared(inner, depth + 1) for inner in value]
    if arrays.numpy is not None and isinstance(value, arrays.numpy.generic):
        return _declared(value.item(), depth)
    raise _Undeclarable("a value of the type %s" % type(value).__name__)


def camel(field):
    first, *others = field.split("_")
    return first + "".join(other.capitalize() for other in others)
