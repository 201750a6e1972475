"""What the browser of a run may reach."""

from processors.browser.egress.schemes import REFUSED, refuse_local_schemes

__all__ = ["REFUSED", "refuse_local_schemes"]
