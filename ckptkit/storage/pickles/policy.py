"""What a pickle may name: the allow-list, and the rules for what is not on it."""

import re
import sys

from ckptkit.storage.pickles import allow_code, allow_numpy, allow_python, allow_rl, allow_torch
from ckptkit.storage.pickles.machine import Entry
from ckptkit.storage.pickles.rules import third_party, third_party_state

ALLOWED: dict[tuple[str, str], Entry] = {
    **allow_python.ALLOWED,
    **allow_numpy.ALLOWED,
    **allow_torch.ALLOWED,
    **allow_rl.ALLOWED,
    **allow_code.ALLOWED,
}
"""Entries by canonical module and name; a later table replaces an earlier one's entry."""

THIRD_PARTY = Entry(
    "a class outside the allow-list, described", new=third_party, build=third_party_state, reference=True
)

_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "Queue": "queue",
    "ConfigParser": "configparser",
    "UserDict": "collections",
    "UserList": "collections",
    "UserString": "collections",
    "cPickle": "pickle",
    "_pickle": "pickle",
    "whichdb": "dbm",
    "dill.dill": "dill._dill",
    "pathlib._local": "pathlib",
    "_collections": "collections",
    "_functools": "functools",
    "_datetime": "datetime",
    "_decimal": "decimal",
    "cloudpickle.cloudpickle_fast": "cloudpickle.cloudpickle",
    "cloudpickle": "cloudpickle.cloudpickle",
    "numpy.multiarray": "numpy._core.multiarray",
    "numpy.random.__init__": "numpy.random",
}
_PREFIXES = (
    ("numpy.core.", "numpy._core."),
    ("ray.cloudpickle.", "cloudpickle."),
    ("joblib.externals.cloudpickle.", "cloudpickle."),
)
_NAMES = {
    ("builtins", "xrange"): ("builtins", "range"),
    ("builtins", "unicode"): ("builtins", "str"),
    ("builtins", "long"): ("builtins", "int"),
    ("builtins", "basestring"): ("builtins", "str"),
    ("builtins", "unichr"): ("builtins", "chr"),
    ("builtins", "reduce"): ("functools", "reduce"),
    ("collections", "IterableUserDict"): ("collections", "UserDict"),
    ("numpy.core", "_ufunc_reconstruct"): ("numpy._core", "_ufunc_reconstruct"),
    ("torch.tensor", "_rebuild_from_type_v2"): ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch.tensor", "Tensor"): ("torch", "Tensor"),
    ("torch._tensor", "Tensor"): ("torch", "Tensor"),
}

_GUARDED = frozenset(
    sys.stdlib_module_names
    | set(
        # Modules of other Python versions, so that the verdict does not depend on the one that runs.
        ["asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "commands", "crypt", "distutils", "exceptions", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "popen2", "sndhdr", "smtpd", "spwd", "sunau", "telnetlib", "thread", "urllib2", "urlparse", "uu", "xdrlib", "nt", "posix", "_winreg", "winreg", "msvcrt", "_posixsubprocess", "__builtins__", "dummy_thread", "cStringIO", "StringIO", "httplib", "sets", "compression", "annotationlib"]
    )
    | {
        "torch",
        "numpy",
        "dill",
        "cloudpickle",
        "pip",
        "setuptools",
        "pkg_resources",
        "_distutils_hack",
        "joblib",
    }
    | {
        "IPython",
        "ipykernel",
        "py",
        "_pytest",
        "pytest",
        "cffi",
        "cython",
        "Cython",
        "numba",
        "sympy",
        "fsspec",
    }
) - {"__main__", "antigravity_"}
_MODULE = re.compile(r"[\w\-]+(\.[\w\-]+)*")


def canonical(module: str, name: str) -> tuple[str, str]:
    """Return one spelling for what Python 2, old library versions and vendored copies call differently."""
    module = _MODULES.get(module, module)
    for prefix, target in _PREFIXES:
        if module.startswith(prefix):
            module = target + module.removeprefix(prefix)
    module = _MODULES.get(module, module)
    return _NAMES.get((module, name), (module, name))


def entry_for(module: str, name: str) -> Entry:
    """Return what the policy says of a global, by canonical module and name."""
    exact = ALLOWED.get((module, name))
    if exact is not None:
        return exact
    if not name.isidentifier():
        why = "a dotted name, which can reach anything" if "." in name else "not a name"
        return Entry(why, allowed=False)
    if not _MODULE.fullmatch(module):
        return Entry("not a module name", allowed=False)
    family = allow_rl.rl_family(module, name) or allow_torch.torch_family(module, name)
    if family is not None:
        return family
    if module.partition(".")[0] in _GUARDED:
        return Entry("not on the allow-list", allowed=False)
    return THIRD_PARTY
