"""The same board on Quart and on Flask: every case of the FastAPI board, and what the three share."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from boards import imported
from test_fastapi_actions import *  # noqa: F403
from test_fastapi_board import *  # noqa: F403
from test_fastapi_demo import (  # noqa: F401
    test_answers_can_be_slowed,
    test_nobody_is_signed_in_by_a_link_elsewhere,
    test_the_version_of_htmx_can_be_chosen,
    test_two_people_side_by_side,
)
from test_fastapi_input import *  # noqa: F403
from test_fastapi_sign_in import *  # noqa: F403

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["quart", "flask"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with imported(f"{request.param}_app", tmp_path_factory.mktemp("board")) as module:
        yield module
