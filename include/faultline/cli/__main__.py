"""``python -m faultline.cli``."""

from faultline.cli import app

app()
