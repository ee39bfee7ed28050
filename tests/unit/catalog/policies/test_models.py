"""The models of the published schema have the fields that are read, and no others."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from catalog.policies import drains, models, service, settings, upstreams
from catalog.policies.fields import Shape

REFUSED = {"ports"}
"""Read only to say that it is not in this version yet."""


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (models.DrainFields, drains.SHAPE),
        (models.LimitFields, settings.LIMITS_SHAPE),
        (models.ServiceFields, service.SHAPE),
        (models.SettingsFields, settings.SHAPE),
        (models.UpstreamsFields, upstreams.SHAPE),
    ],
)
def test_a_model_has_the_fields_that_are_read(model: type[BaseModel], shape: Shape) -> None:
    names = {field.alias or name for name, field in model.model_fields.items()}
    assert names == set(shape.fields) - REFUSED
