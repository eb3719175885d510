import hashlib
import re
from pathlib import Path

import plotly.offline

import latprof.report.html as html

VENDOR = Path(html.__file__).parent / "vendor"


def test_the_inlined_plotly_is_the_file_that_its_page_describes():
    described = re.search(r"`([0-9a-f]{64})`", (VENDOR / "README.md").read_text())[1]
    bundle = (VENDOR / "plotly-basic.min.js").read_bytes()
    assert hashlib.sha256(bundle).hexdigest() == described
    assert b"</script" not in bundle


def test_the_inlined_plotly_speaks_what_the_wheel_writes():
    # The wheel may move on by a minor version; a new major one needs a new bundle.
    head = (VENDOR / "plotly-basic.min.js").read_text()[:200]
    inlined = re.search(r"v(\d+)\.\d+\.\d+", head)[1]
    assert plotly.offline.get_plotlyjs_version().split(".")[0] == inlined


def test_its_licence_lies_beside_it():
    assert "MIT License" in (VENDOR / "plotly-basic.LICENSE.txt").read_text()
