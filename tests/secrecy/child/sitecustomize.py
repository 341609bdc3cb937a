"""Python imports this as it starts, where the tests put its folder on the path: secrets made in this process are told to the tests."""

from __future__ import annotations

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_address = os.environ.get("HEBAT_TESTS_SECRETS")
_spec = spec_from_file_location("_hebat_tests_making", Path(__file__).parents[1] / "making.py")
if _address and _spec is not None and _spec.loader is not None:
    _making = module_from_spec(_spec)
    _spec.loader.exec_module(_making)
    _making.Watch(_making.Teller(_address)).install()
