"""What tests of the pytest plugin (docs/pytest.md) may import: types, an error, a warning."""

from harness.pytest_plugin.cell_result import CellResult
from harness.pytest_plugin.fixture_postfix import ServerStarter
from harness.pytest_plugin.fixture_tool import ToolStarter
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.servers import TestedBuild, TestedServer, TestedService
from harness.pytest_plugin.snapshot_warning import SnapshotWarning

__all__ = [
    "CellResult",
    "NotMeasured",
    "ServerStarter",
    "SnapshotWarning",
    "TestedBuild",
    "TestedServer",
    "TestedService",
    "ToolStarter",
]
