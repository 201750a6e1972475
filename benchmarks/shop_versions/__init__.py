"""The example shop in many versions, to see whether cases that were written for one find their way in another.

    with serve_version(VERSIONS[0]) as url: ...

Every element that was in the original carries the same key in the attribute `TRUTH` in every version.
"""

from benchmarks.shop_versions.serving import mutated_page, serve_version
from benchmarks.shop_versions.truth import TRUTH
from benchmarks.shop_versions.versions import ORIGINAL, VERSIONS, Version

__all__ = ["ORIGINAL", "TRUTH", "VERSIONS", "Version", "mutated_page", "serve_version"]
