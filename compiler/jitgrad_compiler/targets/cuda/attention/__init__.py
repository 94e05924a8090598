"""Attention whose scores stay in registers."""
