"""What a pickle may name: the allow-list, and the rules for what is not on it."""

import re
import sys

from ckptkit.storage.pickles import allow_code, allow_numpy, allow_python, allow_rl, allow_torch
from ckptkit.storage.pickles.attributes import METHOD_MODULES, METHODS
from ckptkit.storage.pickles.machine import Entry
from ckptkit.storage.pickles.rules import BARE, NAMES, REFERENCE, plain_state, third_party, words

ALLOWED: dict[tuple[str, str], Entry] = {
    **allow_python.ALLOWED,
    **allow_numpy.ALLOWED,
    **allow_torch.ALLOWED,
    **allow_rl.ALLOWED,
    **allow_code.ALLOWED,
}
"""Entries by canonical module and name; a later table replaces an earlier one's entry."""

THIRD_PARTY = Entry(
    "a class outside the allow-list, described", new=third_party, build=plain_state, reference=True
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
    "thread": "_thread",
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
    ("itertools", "imap"): ("builtins", "map"),
    ("itertools", "izip"): ("builtins", "zip"),
    ("itertools", "ifilter"): ("builtins", "filter"),
    ("_weakrefset", "WeakSet"): ("weakref", "WeakSet"),
    ("builtins", "NoneType"): ("types", "NoneType"),
    ("builtins", "unichr"): ("builtins", "chr"),
    ("builtins", "reduce"): ("functools", "reduce"),
    ("collections", "IterableUserDict"): ("collections", "UserDict"),
    ("numpy.core", "_ufunc_reconstruct"): ("numpy._core", "_ufunc_reconstruct"),
    ("torch.tensor", "_rebuild_from_type_v2"): ("torch._tensor", "_rebuild_from_type_v2"),
    ("torch.tensor", "Tensor"): ("torch", "Tensor"),
    ("torch._tensor", "Tensor"): ("torch", "Tensor"),
}

_OTHER_VERSIONS = words(
    "__builtins__ _winreg annotationlib asynchat asyncore audioop cStringIO cgi cgitb chunk commands "
    "compression crypt distutils dummy_thread exceptions httplib imp lib2to3 mailcap msilib msvcrt nis "
    "nntplib nt ossaudiodev pipes popen2 posix sets smtpd sndhdr spwd string StringIO sunau telnetlib thread "
    "urllib2 urlparse uu winreg xdrlib"
)
"""Standard modules of other Pythons, so that the verdict does not depend on the one that runs."""
_RUN_CODE = words(
    "Cython IPython _distutils_hack _pytest cffi cloudpickle cython dill fsspec ipykernel joblib numba numpy "
    "pip pkg_resources py pytest setuptools sympy torch"
)
"""Packages around a training run whose names can run code, and which have entries of their own above."""
_GUARDED = frozenset((*sys.stdlib_module_names, *_OTHER_VERSIONS, *_RUN_CODE))
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
    if not name.isidentifier() or not _MODULE.fullmatch(module):
        return _odd(module, name)
    family = allow_rl.rl_family(module, name) or allow_torch.torch_family(module, name)
    if family is not None:
        return family
    if name == "__dict__":
        return NAMES
    guarded = module.partition(".")[0] in _GUARDED
    return Entry("not on the allow-list", allowed=False) if guarded else THIRD_PARTY


def _odd(module: str, name: str) -> Entry:
    """Return what may be done with a name that is dotted, or no name at all."""
    owner, _, method = name.rpartition(".")
    if method in METHODS and module in METHOD_MODULES and owner.isidentifier():
        return REFERENCE
    torch_method = method.isidentifier() and not method.startswith("__") and owner.isidentifier()
    if torch_method and allow_torch.torch_family(module, owner) is BARE:
        return REFERENCE
    if allow_rl.static_method(module, name):
        return REFERENCE
    if not _MODULE.fullmatch(module):
        return Entry("not a module name", allowed=False)
    why = "a dotted name, which can reach anything" if "." in name else "not a name"
    return Entry(why, allowed=False)
