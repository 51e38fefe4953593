"""How does pytest test a configuration? Fixtures, facts and checks, scenario folders as tests.

``postfix_matrix.pytest_plugin`` is what pytest loads; it imports the modules here when a test needs
them. Only ``open_engine`` and what imports it need Docker: the processes of pytest-xdist ask the
controller's engine (``engine_requests``).
"""
