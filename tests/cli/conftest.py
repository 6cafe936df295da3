"""Commands run in this process: what they spare themselves must not be missed by the tests that come after."""

import pandas as pd

__all__ = ["pd"]
