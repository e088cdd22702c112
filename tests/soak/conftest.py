"""The finished run that the long tests share."""

import pytest
from suite import Suite


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Suite:
    return Suite(tmp_path_factory.mktemp("finished"))
