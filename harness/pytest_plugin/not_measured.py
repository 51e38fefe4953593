"""The error of a fact that is asked for and was not measured."""

from __future__ import annotations

from harness.errors import InfrastructureError


class NotMeasured(InfrastructureError):
    """What a test asks for was not measured, so there is no value that it could be compared with.

    pytest shows a test that ends with it as an error, not as a failure.
    """

    #: By this the plugin recognises the error without importing this module.
    is_postfix_not_measured = True


#: Where a test imports it from, and what pytest prints.
NotMeasured.__module__ = "postfix_matrix.testing"
