"""What tests of the pytest plugin (docs/pytest.md) may import: its types and its one error."""

from harness.pytest_plugin.cell_result import CellResult
from harness.pytest_plugin.fixture_postfix import ServerStarter
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.servers import TestedBuild, TestedServer, TestedService

__all__ = [
    "CellResult",
    "NotMeasured",
    "ServerStarter",
    "TestedBuild",
    "TestedServer",
    "TestedService",
]
