"""Peers that break the socket's protocol on purpose, each made from a seed.

frames         WebSocket at byte level: any frame, valid or not
session        one connection as data, and the scenarios by name
broken_frames, broken_talk   the scenarios
client         plays them on real connections
"""

from tests.harness.hostile import broken_frames, broken_talk

__all__ = ["broken_frames", "broken_talk"]  # imported because they register scenarios
