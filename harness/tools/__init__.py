"""Hardening tools as candidates: what a script, role, package or template does to a build.

A tool runs in a container of the build (``tool_container``), on files that it starts from, and what
it left is read out of that container and measured in it. ``tool_file`` reads the description,
``file_changes`` compares files, ``judging`` says what is wrong with a tool itself.
"""
