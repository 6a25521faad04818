from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from imagesmith.layer.label import LAYERS_LABEL, read_label, write_label
from tests.oci.images import make_layer

ONE, TWO = make_layer("one"), make_layer("two")
KEY = "0" * 63 + "a"


def test_the_label_names_the_layers_that_have_a_key() -> None:
    text = write_label([replace(ONE, key=KEY), replace(TWO, key=None)])
    assert read_label({LAYERS_LABEL: text}, [ONE.diff_id, TWO.diff_id]) == {ONE.diff_id: KEY}


def test_a_diff_id_that_the_image_does_not_have_is_left_out() -> None:
    text = write_label([replace(ONE, key=KEY)])
    assert read_label({LAYERS_LABEL: text}, [TWO.diff_id]) == {}


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {LAYERS_LABEL: "nonsense"},
        {LAYERS_LABEL: "[]"},
        {LAYERS_LABEL: f'{{"{ONE.diff_id}": 5}}'},
        {LAYERS_LABEL: f'{{"{ONE.diff_id}": "../../etc/passwd"}}'},
    ],
)
def test_a_label_that_is_none_of_ours_tells_nothing(labels: Mapping[str, str]) -> None:
    assert read_label(labels, [ONE.diff_id]) == {}
