from __future__ import annotations

import re

import pytest
from conftest import ROOT

from hsitf.zoo import names

TEXT = (ROOT / "README.md").read_text()


def test_every_network_is_listed():
    page = (ROOT / "docs/reference/networks.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \| .*(?:19|20)\d\d", page, flags=re.M))
    assert set(names()) <= listed
    literature = [name for name in names() if not name.startswith(("resnet", "vgg"))]
    assert f"[{len(literature)} of the literature]" in TEXT


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make (\w+)`", TEXT))))
def test_make_targets_exist(target):
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()
