"""`build --upgrade-from` refuses what does not go hot, in the plan's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.plan.reason import Verdict
from tests.pairs.builds import Kiosk
from tests.pairs.expected import REFUSED
from tests.pairs.nodes import build_pet
from tests.pairs.pair import Pair
from tests.pairs.plans import plan_of

pytestmark = pytest.mark.release


@pytest.mark.parametrize("pair", REFUSED, ids=lambda pair: pair.name)
def test_no_bundle_is_made_of_what_is_not_hot(kiosk: Kiosk, pair: Pair, tmp_path: Path) -> None:
    bundle = tmp_path / "x.upgrade.tar"
    options = ("--upgrade-from", kiosk.before(pair), "--bundle", bundle)
    layout = f"type=oci,tar=false,dest={tmp_path}/x.oci"
    recipe = tmp_path / "imagesmith.yml"
    done = build_pet(kiosk.after(pair), recipe, *options, "--output", layout, appups=pair.appups)
    assert done.returncode == 1, done.stderr
    assert list(tmp_path.iterdir()) == [recipe]
    for reason in plan_of(kiosk, pair).told:
        if reason.verdict is not Verdict.HOT:
            assert reason.says in done.stderr
    for words in pair.says:
        assert words in done.stderr
