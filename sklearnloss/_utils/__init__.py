"""Helpers for all parts: texts of messages, pipelines, files and imports."""
