import json
from dataclasses import replace

import pytest

from keras_l4.events import schema
from keras_l4.records.block import Variable

pytestmark = pytest.mark.any_backend

SCHEMA = schema.TagSchema(
    kind="full",
    quantity="gradient_norm",
    unit="loss per unit of weight",
    pool="norm",
    sampled=False,
    dtype="float32",
    optimizer="adam",
    segment=1,
    variables=(Variable("a/é/kernel", "a/é", (2, 3), "float32"), Variable("w", "", (), "float16")),
)


def test_round_trip():
    assert schema.decode(schema.encode(SCHEMA)) == SCHEMA


def test_content_is_json_that_others_can_read():
    fields = json.loads(schema.encode(SCHEMA))
    assert fields["format_version"] == schema.FORMAT_VERSION
    assert fields["variables"][0] == {
        "path": "a/é/kernel",
        "layer": "a/é",
        "shape": [2, 3],
        "dtype": "float32",
    }


def test_newer_version_says_what_to_do():
    content = json.dumps({**json.loads(schema.encode(SCHEMA)), "format_version": 2}).encode()
    with pytest.raises(ValueError, match=r"format version 2.*up to 1.*pip install --upgrade"):
        schema.decode(content)


def test_newer_version_may_have_fields_that_this_one_does_not_know():
    content = json.dumps({"format_version": 2, "something": "else"}).encode()
    with pytest.raises(ValueError, match="format version 2"):
        schema.decode(content)


def test_metadata_is_visible_to_both_loaders_of_tensorboard():
    metadata = schema.record_metadata(replace(SCHEMA, kind="layer"))
    assert metadata.data_class == 2
    assert metadata.plugin_data.plugin_name == "keras_l4"
    assert schema.decode(metadata.plugin_data.content).kind == "layer"
