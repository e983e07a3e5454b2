import json
from dataclasses import replace

import pytest

from keras_l4.events import schema
from keras_l4.records.block import Variable

pytestmark = pytest.mark.any_backend

SCHEMA = schema.TagSchema(
    kind="variable",
    quantity="gradient_norm",
    unit="loss per unit of weight",
    pool="norm",
    sampled=False,
    dtype="float32",
    optimizer="adam",
    segment=1,
    variables=(Variable("a/é/kernel", "a/é", (2, 3), "float32"), Variable("w", "", (), "float16")),
)


def test_decoded_schema_equals_the_encoded_one():
    assert schema.decode(schema.encode(SCHEMA)) == SCHEMA


def test_content_is_json():
    fields = json.loads(schema.encode(SCHEMA))
    assert fields["format_version"] == schema.FORMAT_VERSION
    assert fields["variables"][0] == {
        "path": "a/é/kernel",
        "layer": "a/é",
        "shape": [2, 3],
        "dtype": "float32",
    }


def test_newer_format_version_asks_for_an_upgrade():
    content = json.dumps({**json.loads(schema.encode(SCHEMA)), "format_version": 2}).encode()
    with pytest.raises(ValueError, match=r"format version 2.*up to 1.*pip install --upgrade"):
        schema.decode(content)


def test_newer_format_version_is_reported_before_unknown_fields():
    content = json.dumps({"format_version": 2, "something": "else"}).encode()
    with pytest.raises(ValueError, match="format version 2"):
        schema.decode(content)


def test_plugin_metadata_has_a_data_class_and_the_content():
    content = schema.encode(replace(SCHEMA, kind="layer"))
    metadata = schema.plugin_metadata(content)
    assert metadata.data_class == 2
    assert metadata.plugin_data.plugin_name == "keras_l4"
    assert schema.decode(metadata.plugin_data.content).kind == "layer"
